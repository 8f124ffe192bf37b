// The check of CUDA's return codes.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

namespace crescendo::cuda {

// Throws std::runtime_error with CUDA's message.
inline void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess)
    throw std::runtime_error(std::string("cuda: ") + what + ": " + cudaGetErrorString(error));
}

}  // namespace crescendo::cuda
