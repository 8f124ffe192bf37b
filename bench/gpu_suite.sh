#!/usr/bin/env bash
# What needs a GPU, in stages of a few minutes. See bench/gpu_suite.sh --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly stages=(build test sanitize kernels step step-large train)
dependencies='' out=build/gpu/results options=()

usage() {
  cat <<'TEXT'
Usage: bench/gpu_suite.sh dependencies DIR
       bench/gpu_suite.sh [STAGE...] [OPTIONS]
       bench/gpu_suite.sh summary [--out DIR]

For a machine with a GPU, nvcc, cuDNN, CMake, Python and a C++ compiler, that may have no network and none of the
libraries: `dependencies` copies the headers and the two libraries that are needed from a Debian machine that has them.

  build       build/gpu: the program, the benchmarks and the tests
  test        the tests with label gpu
  sanitize    compute-sanitizer: memcheck and racecheck on the kernel tests
  kernels     kernel_bench on the layers of WRN-16-4 and ResNet-50, cuDNN's convolutions and our own, beside PyTorch's
  step        step_bench at batch 128 in fp32, TF32 and bf16, time and memory, beside FILE --all
  step-large  the same at larger batches
  train       WRN-16-4 on CIFAR-10, increased-momentum schedule: equal bits when repeated and when killed and resumed;
              then the 200 epochs, or as many as there is time for
  summary     what was measured so far beside what it should be

  --out DIR           where each stage writes STAGE.json (build/gpu/results), ready for bench/results/
  --dependencies DIR  what `dependencies` copied
  --torch PYTHON      an interpreter that has PyTorch (python3); where it has not, PyTorch is left out
  --torch-step FILE   a PyTorch program that times training steps: --device, --dtype, --batch, --steps, --warmup, and
                      --all for every variant; it prints a JSON object a line
  --data-dir DIR      CIFAR-10's binary files, for train
  --commit NAME       what the results say where the sources are no repository

Without a STAGE, all of them in this order and the summary. A stage takes eight minutes at most. Stops at the first that
fails.
TEXT
}
fail() {
  printf 'gpu_suite.sh: %s\n' "$*" >&2
  exit 2
}

# ---- Dependencies

# config NAME VERSION TARGET BODY: what find_package(NAME) reads.
config() {
  local folder=$dependencies/lib/cmake/$1
  mkdir -p "$folder"
  cat >"$folder/$1Config.cmake" <<TEXT
get_filename_component(prefix "\${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
add_library($3 INTERFACE IMPORTED)
target_include_directories($3 SYSTEM INTERFACE \${prefix}/include $4)
$5
TEXT
  printf 'set(PACKAGE_VERSION %s)\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n' "$2" >"$folder/$1ConfigVersion.cmake"
}

# As the packages of bootstrap.sh install them.
copy_dependencies() {
  [[ -n $dependencies ]] || fail "dependencies: which folder?"
  local header library
  mkdir -p "$dependencies"/{include,lib}
  for header in eigen3 nlohmann CLI fmt doctest benchmark xxhash.h xxh3.h; do
    [[ -e /usr/include/$header ]] || fail "dependencies: no /usr/include/$header; ./bootstrap.sh build installs it"
    cp -r "/usr/include/$header" "$dependencies/include/"
  done
  library=$(find /usr/lib -name libxxhash.a | head -n 1)
  [[ -n $library ]] || fail "dependencies: no libxxhash.a in /usr/lib"
  cp "$library" "$dependencies/lib/"
  library=$(find /usr/lib -name 'libbenchmark.so.1debian' | head -n 1)
  [[ -n $library ]] || fail "dependencies: no libbenchmark.so.1debian in /usr/lib"
  cp -L "$library" "$dependencies/lib/"
  # shellcheck disable=SC2016  # CMake's variable
  config Eigen3 3.4.0 Eigen3::Eigen '${prefix}/include/eigen3' 'set(EIGEN3_VERSION_STRING 3.4.0)'
  config nlohmann_json 3.11.2 nlohmann_json::nlohmann_json '' ''
  config CLI11 2.1.2 CLI11::CLI11 '' ''
  config fmt 9.1.0 fmt::fmt '' 'target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY)'
  config doctest 2.4.9 doctest::doctest '' ''
  # shellcheck disable=SC2016
  config benchmark 1.7.1 benchmark::benchmark '' \
    'target_link_libraries(benchmark::benchmark INTERFACE ${prefix}/lib/libbenchmark.so.1debian pthread)
target_link_options(benchmark::benchmark INTERFACE LINKER:-rpath,${prefix}/lib)'
  echo "$dependencies: $(du -sh "$dependencies" | cut -f 1)"
}

# ---- Running them

run_stage() {
  local start=$SECONDS
  printf '\n==== %s\n' "$1"
  python3 bench/gpu/run.py "$1" --out "$out" "${options[@]}" || exit
  printf '%s: %d s\n' "$1" $((SECONDS - start))
}

main() {
  local chosen=() copy=false
  while (($#)); do
    case $1 in
      -h | --help) usage && exit ;;
      dependencies) copy=true && dependencies=${2:-} && shift ;;
      --out | --dependencies | --torch | --torch-step | --data-dir | --commit)
        (($# > 1)) || fail "$1: a value is missing"
        if [[ $1 == --out ]]; then out=$2; else options+=("$1" "$2"); fi
        shift
        ;;
      build | test | sanitize | kernels | step | step-large | train | summary) chosen+=("$1") ;;
      *) fail "unknown '$1'; see --help" ;;
    esac
    shift || true
  done
  if $copy; then copy_dependencies && exit; fi
  ((${#chosen[@]})) || chosen=("${stages[@]}" summary)
  local stage
  for stage in "${chosen[@]}"; do
    if [[ $stage == summary ]]; then python3 bench/gpu_summary.py "$out"; else run_stage "$stage"; fi
  done
}

main "$@"
