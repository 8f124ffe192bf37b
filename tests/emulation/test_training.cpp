// A training step with CUDA's own kernels, emulated, beside the processor's.
#include "emulation/emulated_backend.h"
#include "support/training_agreement.h"

namespace crescendo::test {

TEST_CASE("training: the emulated kernels agree with the processor's") {
  for (const auto schedule : emulation::all_schedules())
    check_training(Device(std::make_unique<EmulatedBackend<float>>(schedule)), std::ldexp(1, -23));
}

TEST_CASE("training: bf16 agrees within its rounding, by own convolutions too") {
  for (const auto convolution : {ConvolutionAlgorithm::automatic, ConvolutionAlgorithm::own})
    check_training(
        Device(std::make_unique<EmulatedBackend<bf16>>(emulation::Schedule::warp_greedy, convolution)),
        std::ldexp(1, -8));
}

}  // namespace crescendo::test
