#include "emulation/emulated_backend.h"
#include "support/run_devices.h"

namespace crescendo::test {
namespace {

template <class T>
RunDevice emulated(Precision precision, ConvolutionAlgorithm convolution = ConvolutionAlgorithm::automatic) {
  return {
      precision, convolution, [=] {
        return Device(std::make_unique<EmulatedBackend<T>>(emulation::Schedule::warp_greedy, convolution));
      }};
}

}  // namespace

std::vector<RunDevice> run_devices() {
  return {emulated<float>(Precision::fp32), emulated<bf16>(Precision::bf16),
          emulated<bf16>(Precision::bf16, ConvolutionAlgorithm::own)};
}

}  // namespace crescendo::test
