#include "trainer/open_device.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "engine/check.h"

namespace crescendo {
namespace {

// The GPU that a device names; nothing for the processor.
std::optional<int> gpu_of(const std::string& device) {
  constexpr std::string_view kCuda = "cuda", kNumbered = "cuda:";
  if (device == "cpu") return {};
  if (device == kCuda) return 0;
  int number = -1;
  if (device.starts_with(kNumbered)) {
    const char* const end = device.data() + device.size();
    const auto [stop, error] = std::from_chars(device.data() + kNumbered.size(), end, number);
    if (error != std::errc() || stop != end) number = -1;
  }
  require(number >= 0, "device: found \"", device, "\", expected cpu, cuda or cuda:N");
  return number;
}

}  // namespace

void validate_device(const std::string& device, Precision precision) {
  if (gpu_of(device)) return;
  require(precision == Precision::fp32, "precision: the processor computes in fp32; tf32 and bf16 need ",
          "--device cuda");
}

Device open_device(const TrainOptions& options) {
  validate_device(options.device, options.precision);
  if (const auto gpu = gpu_of(options.device)) return Device::cuda(*gpu, options.precision);
  return Device::cpu(options.threads, options.convolution, options.instruction_set);
}

}  // namespace crescendo
