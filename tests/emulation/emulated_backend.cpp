#include "emulation/emulated_backend.h"

#include "support/tested_backend.h"

namespace crescendo::test {

// The number of threads picks a schedule; neither may change a bit.
std::unique_ptr<Backend> tested_backend(int threads, ConvolutionAlgorithm) {
  const auto schedules = emulation::all_schedules();
  return std::make_unique<EmulatedBackend<float>>(schedules[static_cast<size_t>(threads) % schedules.size()]);
}

std::vector<ConvolutionAlgorithm> tested_algorithms() { return {ConvolutionAlgorithm::automatic}; }

bool is_tested(const Conv2dGeometry&) { return true; }

}  // namespace crescendo::test
