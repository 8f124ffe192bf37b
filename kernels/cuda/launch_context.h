// Resources that our own kernels and CUDA's libraries need besides a call's operands.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace crescendo::cuda {

// Number of partial results, of at most eight bytes each, that a reduction of a flat store may leave.
constexpr int64_t kPartials = 256;

// The stream that all work goes to, and scratch memory.
// The backend owns both and updates `workspace` when it grows.
struct LaunchContext {
  cudaStream_t stream = nullptr;
  void* workspace = nullptr;  // the largest reservation; 256-byte aligned
  void* partials = nullptr;   // [kPartials]
};

}  // namespace crescendo::cuda
