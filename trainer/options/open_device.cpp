#include "trainer/options/open_device.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "base/check.h"

namespace crescendo {
namespace {

constexpr int kOwnGpu = -1;  // of each worker

// Returns the index of the GPU that a device names; none for the processor.
std::optional<int> gpu_of(const std::string& device) {
  constexpr std::string_view kCuda = "cuda", kNumbered = "cuda:";
  if (device == "cpu") return {};
  if (device == kCuda) return kOwnGpu;
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

void validate_device(const TrainOptions& options) {
  const bool is_gpu = gpu_of(options.device).has_value();
  require(is_gpu || options.precision == Precision::fp32,
          "precision: the processor computes in fp32; tf32 and bf16 need --device cuda");
  if (options.convolution == ConvolutionAlgorithm::own)
    require(is_gpu && options.precision == Precision::bf16,
            "convolution: own needs --device cuda --precision bf16");
  require(has_convolution(options, options.convolution),
          "convolution: winograd and direct are the processor's; --device cuda has auto and own");
}

bool has_convolution(const TrainOptions& options, ConvolutionAlgorithm convolution) {
  if (convolution == ConvolutionAlgorithm::automatic) return true;
  const bool is_gpu = gpu_of(options.device).has_value(), is_own = convolution == ConvolutionAlgorithm::own;
  return is_gpu ? is_own && options.precision == Precision::bf16 : !is_own;
}

int gpu_of_worker(int local_rank, int gpus) {
  if (gpus <= 1) return 0;
  require(local_rank < gpus, "device: this machine has ", gpus, " GPUs and more workers; start ", gpus,
          " or fewer here, or let all share one: --device cuda:0");
  return local_rank;
}

Device open_device(const TrainOptions& options, int local_rank) {
  validate_device(options);
  if (const auto gpu = gpu_of(options.device))
    return Device::cuda(*gpu == kOwnGpu ? gpu_of_worker(local_rank, Device::count_gpus()) : *gpu,
                        options.precision, options.convolution);
  return Device::cpu(options.threads, options.convolution, options.instruction_set);
}

}  // namespace crescendo
