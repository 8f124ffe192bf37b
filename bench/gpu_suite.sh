#!/usr/bin/env bash
# Everything that needs a GPU, in stages of a few minutes. See bench/gpu_suite.sh --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly stages=(build test sanitize kernels step step-large workers train)
dependencies='' out=build/gpu/results options=()

usage() {
  cat <<'TEXT'
Usage: bench/gpu_suite.sh dependencies DIR
       bench/gpu_suite.sh [STAGE...] [OPTIONS]
       bench/gpu_suite.sh summary [--out DIR]

Runs on a machine with a GPU, nvcc, cuDNN, CMake, Python and a C++ compiler. The machine may lack a network and the
other libraries: `dependencies` copies the headers and the two libraries needed from a Debian machine that has them.

  build       build the program, the benchmarks and the tests in build/gpu
  test        run the tests with label gpu
  sanitize    run compute-sanitizer (memcheck and racecheck) on the kernel tests
  kernels     time the layers of WRN-16-4 and ResNet-50: cuDNN's convolutions, our own, and PyTorch's
  step        time training steps at batch 128 in fp32, TF32 and bf16, with memory, beside FILE --all
  step-large  the same at larger batches
  workers     train WRN-16-4 on 1, 2, 4 and 8 workers, as many as there are GPUs: equal bits; needs MPI
  train       train WRN-16-4 on CIFAR-10, increased-momentum schedule: equal bits when repeated and when killed and
              resumed; then 200 epochs, or as many as there is time for
  summary     print the results so far beside their targets

  --out DIR           folder for STAGE.json of each stage (build/gpu/results), ready for bench/results/
  --dependencies DIR  folder that `dependencies` filled
  --torch PYTHON      interpreter that has PyTorch (python3); if it has none, PyTorch is left out
  --torch-step FILE   PyTorch program that times training steps: --device, --dtype, --batch, --steps, --warmup, and
                      --all for every variant; it prints one JSON object per line
  --data-dir DIR      folder of CIFAR-10's binary files, for train
  --commit NAME       commit to record, if the sources are not a git repository

Without a STAGE, runs all of them in this order, then the summary. A stage takes at most eight minutes. The suite stops
at the first stage that fails.
TEXT
}
fail() {
  printf 'gpu_suite.sh: %s\n' "$*" >&2
  exit 2
}

# ---- Dependencies

# config NAME VERSION TARGET BODY: writes the files that find_package(NAME) reads.
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

# Copies what the packages of bootstrap.sh install.
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

# ---- Stages

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
      build | test | sanitize | kernels | step | step-large | workers | train | summary) chosen+=("$1") ;;
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
