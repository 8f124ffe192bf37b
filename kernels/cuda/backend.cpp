// This file is part of the program. All others in this folder form a module that is loaded on demand.
#include "kernels/cuda/backend.h"

#include <stdexcept>
#include <string>

#include "base/module.h"
#include "kernels/cuda/module.h"

namespace crescendo {

int count_cuda_devices() {
  std::string why;
  auto* const count =
      reinterpret_cast<cuda::CountDevices*>(module_function(cuda::kModule, cuda::kCountDevices, why));
  return count == nullptr ? 0 : count();
}

std::unique_ptr<Backend> make_cuda_backend(int index, Precision precision, ConvolutionAlgorithm convolution) {
  std::string why;
  auto* const make =
      reinterpret_cast<cuda::MakeBackend*>(module_function(cuda::kModule, cuda::kMakeBackend, why));
  if (make == nullptr)
    throw std::invalid_argument(std::string("--device cuda: ") + cuda::kModule +
                                ", which is built where CUDA is found, does not load: " + why);
  return std::unique_ptr<Backend>(make(index, precision, convolution));
}

}  // namespace crescendo
