// The entry points of the CUDA module, which the functions in backend.h call.
#pragma once

#include "kernels/backend.h"
#include "kernels/precision.h"

namespace crescendo::cuda {

inline constexpr const char* kModule = "libcrescendo_cuda.so";
inline constexpr const char* kMakeBackend = "crescendo_make_cuda_backend";
using MakeBackend = Backend*(int index, Precision precision, ConvolutionAlgorithm convolution);
inline constexpr const char* kCountDevices = "crescendo_count_cuda_devices";
using CountDevices = int();

}  // namespace crescendo::cuda
