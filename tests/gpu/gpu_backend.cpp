#include "kernels/cuda/backend.h"
#include "support/tested_backend.h"

namespace crescendo::test {

std::unique_ptr<Backend> tested_backend(int, ConvolutionAlgorithm) {
  return make_cuda_backend(0, Precision::fp32);
}

std::vector<ConvolutionAlgorithm> tested_algorithms() { return {ConvolutionAlgorithm::automatic}; }

bool is_tested(const Conv2dGeometry&) { return true; }

}  // namespace crescendo::test
