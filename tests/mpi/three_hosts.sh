#!/usr/bin/env bash
# Three network namespaces as hosts: a run over them must end in the bits of a run on one, and end within 40 seconds
# when a host's network is cut. Not part of the tests, since it needs root:  tests/mpi/three_hosts.sh build/crescendo
set -euo pipefail

program=$(realpath "${1:?usage: three_hosts.sh PROGRAM}")
folder=$(mktemp -d /tmp/three-hosts-XXXXXX)
readonly hosts=(crescendo1 crescendo2 crescendo3) bridge=crescendo0 network=10.213.47

cleanup() {
  local host
  for host in "${hosts[@]}"; do
    ip netns pids "$host" 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
    ip netns del "$host" 2>/dev/null || true
  done
  ip link del $bridge 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT

connect_hosts() {
  local i host
  ip link add $bridge type bridge
  ip link set $bridge up
  for i in "${!hosts[@]}"; do
    host=${hosts[i]}
    ip netns add "$host"
    ip link add "link$i" type veth peer name eth0 netns "$host"
    ip link set "link$i" master $bridge up
    ip -n "$host" addr add $network.$((i + 1))/24 dev eth0
    ip -n "$host" link set eth0 up
    ip -n "$host" link set lo up
    echo "$network.$((i + 1)) $host" >>"$folder/hosts"
  done
  # What mpirun calls instead of ssh: HOST COMMAND...
  cat >"$folder/rsh" <<RSH
#!/bin/sh
host=\$1
shift
exec ip netns exec "\$host" unshare --uts --mount sh -c \
  "hostname \$host; mount --bind $folder/hosts /etc/hosts; \$*"
RSH
  chmod +x "$folder/rsh"
}

# on_three_hosts WORDS...: runs the program on all hosts, from the first.
on_three_hosts() {
  "$folder/rsh" "${hosts[0]}" OMPI_MCA_plm_rsh_agent="$folder/rsh" OMPI_MCA_plm_rsh_no_tree_spawn=1 \
    "$program" launch -n 3 --hosts crescendo1:1,crescendo2:1,crescendo3:1 -- "$@"
}

fail() {
  echo "three_hosts: $*" >&2
  exit 1
}

connect_hosts
run=(train --model wrn-10-1 --data shapes --train-images 1024 --batch 96 --ghost-batch 32 --milestones none --quiet)

on_three_hosts "${run[@]}" --epochs 2 --run-dir "$folder/three"
"$program" "${run[@]}" --epochs 2 --run-dir "$folder/one"
three=$("$program" inspect "$folder/three" --digest) one=$("$program" inspect "$folder/one" --digest)
[[ $three == "$one" ]] || fail "three hosts end in $three, one in $one"
echo "three_hosts: equal digests: $one"

on_three_hosts "${run[@]}" --epochs 100000 --checkpoint-every 5 --run-dir "$folder/cut" 2>"$folder/errors" &
launched=$!
for ((i = 0; i < 600; ++i)); do
  compgen -G "$folder/cut/checkpoints/*.safetensors" >/dev/null && break
  sleep 0.1
done
ip link set link2 down
SECONDS=0 code=0
wait $launched || code=$?
cat "$folder/errors"
echo "three_hosts: a host was cut off: exit code $code after $SECONDS s"
((code == 75)) || fail "found exit code $code, expected 75"
((SECONDS <= 40)) || fail "found $SECONDS s, expected 40 at most"
for host in "${hosts[@]}"; do
  left=$(ip netns pids "$host" | xargs -r ps -o comm= -p | grep -c crescendo || true)
  ((left == 0)) || fail "$left workers are left on $host"
done
