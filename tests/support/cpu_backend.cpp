#include "support/tested_backend.h"

namespace crescendo::test {

std::unique_ptr<Backend> tested_backend(int threads, ConvolutionAlgorithm convolution) {
  return make_cpu_backend(threads, convolution, tested_instruction_set);
}

std::vector<ConvolutionAlgorithm> tested_algorithms() {
  return {ConvolutionAlgorithm::direct, ConvolutionAlgorithm::winograd};
}

bool is_tested(const Conv2dGeometry&) { return true; }

}  // namespace crescendo::test
