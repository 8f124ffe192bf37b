// What the program calls in the module of the CUDA backend: make_cuda_backend (backend.h).
#pragma once

#include "kernels/backend.h"
#include "kernels/precision.h"

namespace crescendo::cuda {

inline constexpr const char* kModule = "libcrescendo_cuda.so";
inline constexpr const char* kMakeBackend = "crescendo_make_cuda_backend";
using MakeBackend = Backend*(int index, Precision precision, ConvolutionAlgorithm convolution);

}  // namespace crescendo::cuda
