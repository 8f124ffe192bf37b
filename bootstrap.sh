#!/usr/bin/env bash
# Builds, tests and demonstrates Crescendo on a fresh Debian 12. See `./bootstrap.sh --help`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly packages=(
  g++ cmake ninja-build git                          # tools
  libeigen3-dev libopencv-dev libxxhash-dev          # matrices, pictures, checksums
  libcli11-dev nlohmann-json3-dev libfmt-dev         # command line, JSON, text
  libonnx-dev libprotobuf-dev protobuf-compiler      # export as ONNX
  libopenmpi-dev openmpi-bin                         # several workers
  libjs-chart.js                                     # curves of the report page
  doctest-dev python3 libbenchmark-dev               # tests, benchmarks
)

usage() {
  cat <<'TEXT'
Usage: ./bootstrap.sh COMMAND [OPTIONS]

  build [-D...]      install missing packages, build build/crescendo
  test [-D...]       install missing packages, build everything, run every test
  demo [OPTIONS]     build, then train a small wide ResNet three ways on built-in data and write a report;
                     OPTIONS are passed to `crescendo demo`

-D options are passed to CMake, e.g. ./bootstrap.sh build -DCRESCENDO_INSTRUCTION_SETS=native

Missing Debian packages are listed, then installed with apt-get, as root or with sudo. After that, nothing needs
the network. On other distributions, first install the equivalents of
TEXT
  printf '  %s\n' "${packages[*]}"
}

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '%s==> %s%s\n' "$bold" "$*" "$plain"; }
fail() {
  printf 'bootstrap.sh: %s\n' "$*" >&2
  exit 1
}
usage_error() {
  printf 'bootstrap.sh: %s; see ./bootstrap.sh --help\n' "$*" >&2
  exit 2
}

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

install_packages() {
  if ! command -v apt-get dpkg-query >/dev/null; then
    say "This is not Debian, so nothing is installed. Install the equivalents of"
    printf '    %s\n' "${packages[*]}"
    return
  fi
  local missing
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0

  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "not root and no sudo; as root, run: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing Debian packages: ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3
    -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update </dev/null || fail "apt-get update failed: is there a network?"
  "${apt[@]}" install --yes --no-install-recommends "${missing[@]}" </dev/null ||
    fail "apt-get could not install: ${missing[*]}"
}

# build_target TARGET [-D...]
build_target() {
  local target=$1
  shift
  install_packages
  say "Building in build/ (Release)"
  cmake --preset release "$@"
  cmake --build build --target "$target" --parallel "$(nproc)"
}

main() {
  local command=${1:-}
  shift || true
  case $command in
    -h | --help | help) usage ;;
    build)
      build_target crescendo "$@"
      say "Built build/crescendo; try build/crescendo --help"
      ;;
    test)
      build_target all "$@"
      say "Running every test"
      # One thread per test, as many tests as cores. Tests of threading ask for their own threads.
      OMP_NUM_THREADS=1 \
        ctest --test-dir build --output-on-failure --no-tests=error --parallel "$(nproc)"
      ;;
    demo)
      build_target crescendo
      say "Running the demonstration"
      exec build/crescendo demo "$@"
      ;;
    '') usage_error "which command? demo, test or build" ;;
    *) usage_error "unknown command '$command'" ;;
  esac
}

main "$@"
