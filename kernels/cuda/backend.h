// A GPU's backend: own kernels, cuDNN and cuBLASLt, in a module that is loaded when it is asked for.
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/precision.h"

namespace crescendo {

// The backend makes the device current and belongs to the thread that calls this. Throws
// std::invalid_argument, in one line for whoever asked for the device, where the program was built without
// CUDA, where there is no device of this index or it cannot do the precision.
std::unique_ptr<Backend> make_cuda_backend(int index, Precision,
                                           ConvolutionAlgorithm = ConvolutionAlgorithm::automatic);

}  // namespace crescendo
