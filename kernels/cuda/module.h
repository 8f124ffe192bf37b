// The entry point of the CUDA module, which make_cuda_backend (backend.h) calls.
#pragma once

#include "kernels/backend.h"
#include "kernels/precision.h"

namespace crescendo::cuda {

inline constexpr const char* kModule = "libcrescendo_cuda.so";
inline constexpr const char* kMakeBackend = "crescendo_make_cuda_backend";
using MakeBackend = Backend*(int index, Precision precision, ConvolutionAlgorithm convolution);

}  // namespace crescendo::cuda
