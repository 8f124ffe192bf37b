#!/usr/bin/env bash
# What needs a GPU, in stages of a few minutes. See bench/gpu_suite.sh --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly stages=(build test sanitize step)
readonly build=build/gpu
dependencies='' out='' torch=python3 torch_step=''

usage() {
  cat <<'TEXT'
Usage: bench/gpu_suite.sh dependencies DIR
       bench/gpu_suite.sh [STAGE...] [--dependencies DIR] [--out DIR] [--torch PYTHON] [--torch-step FILE]

For a machine with a GPU, nvcc, cuDNN, CMake and a C++ compiler, that may have no network and none of the libraries:
`dependencies` copies the headers and the one static library that are needed from a Debian machine that has them.

  build      build/gpu: the program, step_bench and the tests, for this machine's GPU
  test       the tests with label gpu
  sanitize   compute-sanitizer: memcheck and racecheck on the kernel tests
  step       step_bench at several batches and precisions, each in turn with FILE --all (a PyTorch program that
             prints JSON), where one is given

  --out DIR  where results go: one file a stage, each beginning with the commit and the GPU

Without a STAGE, all of them in this order. Stops at the first that fails.
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
  for header in eigen3 nlohmann CLI fmt doctest xxhash.h xxh3.h; do
    [[ -e /usr/include/$header ]] || fail "dependencies: no /usr/include/$header; ./bootstrap.sh build installs it"
    cp -r "/usr/include/$header" "$dependencies/include/"
  done
  library=$(find /usr/lib -name libxxhash.a | head -n 1)
  [[ -n $library ]] || fail "dependencies: no libxxhash.a in /usr/lib"
  cp "$library" "$dependencies/lib/"
  # shellcheck disable=SC2016  # CMake's variable
  config Eigen3 3.4.0 Eigen3::Eigen '${prefix}/include/eigen3' 'set(EIGEN3_VERSION_STRING 3.4.0)'
  config nlohmann_json 3.11.2 nlohmann_json::nlohmann_json '' ''
  config CLI11 2.1.2 CLI11::CLI11 '' ''
  config fmt 9.1.0 fmt::fmt '' 'target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY)'
  config doctest 2.4.9 doctest::doctest '' ''
  echo "$dependencies: $(du -sh "$dependencies" | cut -f 1)"
}

# ---- Stages

stage_build() {
  cmake -S . -B $build -DCMAKE_BUILD_TYPE=Release -DCRESCENDO_CUDA=ON -DCRESCENDO_INSTRUCTION_SETS=native \
    -DCMAKE_PREFIX_PATH="$dependencies"
  cmake --build $build --parallel "$(nproc)" \
    --target crescendo crescendo_cuda step_bench test_gpu_kernels test_gpu_models
}

stage_test() { ctest --test-dir $build -L gpu --output-on-failure --no-tests=error; }

stage_sanitize() {
  local tool
  for tool in memcheck racecheck; do
    compute-sanitizer --tool $tool --error-exitcode 1 $build/test_gpu_kernels "--test-case-exclude=convolutions *"
  done
}

stage_step() {
  local batch precision
  for precision in fp32 tf32 bf16; do
    for batch in 128 1024; do
      $build/step_bench --device cuda --precision $precision --batch $batch --ghost-batch 128 --micro-batch $batch \
        --steps 50 --warmup 10 --json
    done
  done
  [[ -n $torch_step ]] || return 0
  for batch in 128 1024; do
    "$torch" "$torch_step" --all --device cuda --dtype bf16 --batch $batch --steps 50 --warmup 10
  done
}

# ---- Running them

# Standard output of a stage, and into a file of the results.
run_stage() {
  local start=$SECONDS
  printf '\n==== %s\n' "$1"
  if [[ -z $out ]]; then
    "stage_$1"
  else
    mkdir -p "$out"
    {
      echo "# commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
      echo "# $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null || echo no GPU)"
      "stage_$1"
    } 2>&1 | tee "$out/$1.txt"
  fi
  printf '%s: %d s\n' "$1" $((SECONDS - start))
}

main() {
  local chosen=() copy=false
  while (($#)); do
    case $1 in
      -h | --help) usage && exit ;;
      dependencies) copy=true && dependencies=${2:-} && shift ;;
      --dependencies | --out | --torch | --torch-step)
        (($# > 1)) || fail "$1: a value is missing"
        local name=${1#--}
        printf -v "${name/-/_}" '%s' "$2" && shift
        ;;
      build | test | sanitize | step) chosen+=("$1") ;;
      *) fail "unknown '$1'; see --help" ;;
    esac
    shift || true
  done
  if $copy; then copy_dependencies && exit; fi
  [[ -z $dependencies ]] || dependencies=$(realpath "$dependencies")
  ((${#chosen[@]})) || chosen=("${stages[@]}")
  local stage
  for stage in "${chosen[@]}"; do run_stage "$stage"; done
}

main "$@"
