// The backend of a GPU: our own kernels, cuDNN and cuBLASLt, in a module that is loaded on demand.
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/precision.h"

namespace crescendo {

// Returns the number of devices that this process may use; 0 also if the program was built without CUDA.
int count_cuda_devices();

// Returns the backend of the device with this index. It makes the device current and belongs to the calling
// thread. Throws std::invalid_argument, with one line for the user, if the program was built without CUDA, if
// there is no such device, or if the device lacks the precision.
std::unique_ptr<Backend> make_cuda_backend(int index, Precision,
                                           ConvolutionAlgorithm = ConvolutionAlgorithm::automatic);

}  // namespace crescendo
