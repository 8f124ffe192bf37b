#include "engine/device.h"

#include "kernels/cpu/backend.h"
#include "kernels/cuda/backend.h"
#include "kernels/dry_run.h"

namespace crescendo {

struct Device::State {
  explicit State(std::unique_ptr<Backend> b) : backend(std::move(b)), memory(*backend) {}
  std::shared_ptr<Backend> backend;
  Allocator memory;
};

Device::Device(std::unique_ptr<Backend> backend) : state_(std::make_shared<State>(std::move(backend))) {}

Device Device::cpu(int threads, ConvolutionAlgorithm convolution, InstructionSet set) {
  return Device(make_cpu_backend(threads, convolution, set));
}

Device Device::cuda(int index, Precision precision, ConvolutionAlgorithm convolution) {
  return Device(make_cuda_backend(index, precision, convolution));
}

int Device::count_gpus() { return count_cuda_devices(); }

Device Device::dry_run(const Device& modelled) {
  return Device(std::make_unique<DryRunBackend>(modelled.shared_backend()));
}

void Device::run(const KernelCall& call) const {
  state_->memory.reserve_workspace(state_->backend->workspace(call));
  state_->backend->run(call);
}

Backend& Device::backend() const { return *state_->backend; }
std::shared_ptr<const Backend> Device::shared_backend() const { return state_->backend; }
Allocator& Device::memory() const { return state_->memory; }

}  // namespace crescendo
