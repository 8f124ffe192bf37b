#include "support/run_devices.h"

namespace crescendo::test {
namespace {

RunDevice on_gpu(Precision precision, ConvolutionAlgorithm convolution = ConvolutionAlgorithm::automatic) {
  return {precision, convolution, [=] { return Device::cuda(0, precision, convolution); }};
}

}  // namespace

std::vector<RunDevice> run_devices() {
  return {on_gpu(Precision::fp32), on_gpu(Precision::tf32), on_gpu(Precision::bf16),
          on_gpu(Precision::bf16, ConvolutionAlgorithm::own)};
}

}  // namespace crescendo::test
