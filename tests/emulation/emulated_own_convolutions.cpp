#include "emulation/emulated_backend.h"
#include "support/tested_backend.h"

namespace crescendo::test {

// The number of threads picks a schedule; neither may change a bit.
std::unique_ptr<Backend> tested_backend(int threads, ConvolutionAlgorithm convolution) {
  const auto schedules = emulation::all_schedules();
  return std::make_unique<EmulatedBackend<bf16>>(schedules[static_cast<size_t>(threads) % schedules.size()],
                                                 convolution);
}

std::vector<ConvolutionAlgorithm> tested_algorithms() { return {ConvolutionAlgorithm::own}; }

bool is_tested(const Conv2dGeometry& g) { return cuda::implicit_conv2d::computes(g); }

}  // namespace crescendo::test
