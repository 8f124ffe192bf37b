#include "kernels/cuda/backend.h"
#include "support/tested_backend.h"

namespace crescendo::test {

std::unique_ptr<Backend> tested_backend(int, ConvolutionAlgorithm convolution) {
  return make_cuda_backend(0, Precision::bf16, convolution);
}

std::vector<ConvolutionAlgorithm> tested_algorithms() { return {ConvolutionAlgorithm::own}; }

// The others are cuDNN's.
bool is_tested(const Conv2dGeometry& g) { return g.c % 8 == 0 && g.k % 8 == 0; }

}  // namespace crescendo::test
