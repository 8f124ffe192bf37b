// The CUDA backend without a GPU: its dispatch and its own kernels, emulated, beside stand-ins for the
// libraries. Memory is the processor's.
#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "emulation/emulator.h"
#include "emulation/library_stand_ins.h"
#include "kernels/cpu/backend.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/host_exchange.h"
#include "support/device_streams.h"

namespace crescendo::test {

template <class T>
class EmulatedBackend final : public Backend {
 public:
  // Its launches, and all others while it lives, follow `schedule`.
  explicit EmulatedBackend(emulation::Schedule schedule,
                           ConvolutionAlgorithm algorithm = ConvolutionAlgorithm::automatic)
      : schedule_(schedule), dispatch_(context_, convolutions_, products_, algorithm) {}

  std::string name() const override { return "emulated CUDA kernels"; }
  Capabilities capabilities() const override { return dispatch_.capabilities(); }

  size_t free_memory() const override { return cpu_->free_memory(); }
  void* allocate(size_t bytes) override { return cpu_->allocate(bytes); }
  void release(void* block, size_t bytes) override { cpu_->release(block, bytes); }
  void upload(const void* host, void* to, size_t bytes) override { cpu_->upload(host, to, bytes); }
  void download(const void* from, void* host, size_t bytes) override { cpu_->download(from, host, bytes); }
  void upload_activations(int64_t n, const float* host, activation* to) override {
    for (int64_t i = 0; i < n; ++i) reinterpret_cast<T*>(to)[i] = T(host[i]);
  }
  void download_activations(int64_t n, const activation* from, real* host) override {
    for (int64_t i = 0; i < n; ++i) host[i] = reinterpret_cast<const T*>(from)[i];
  }
  std::unique_ptr<StagedUpload> open_upload() override { return streams_.open_upload(CopyTime::first); }
  std::unique_ptr<SumExchange> open_exchange(Communicator& workers) override {
    return make_host_exchange(*this, workers);
  }

  void run(const KernelCall& call) override { dispatch_.run(call); }
  size_t workspace(const KernelCall& call) const override { return dispatch_.workspace(call); }
  void reserve_workspace(size_t bytes) override {
    if (workspace_.size() * sizeof(double) < bytes)
      workspace_.resize((bytes + sizeof(double) - 1) / sizeof(double), std::nan(""));
    context_.workspace = workspace_.data();
  }
  std::unique_ptr<KernelGraph> capture(const std::function<void()>&) override { return nullptr; }

  int64_t packed_weight_size(const Conv2dGeometry&) const override { return 0; }
  bool fuses_norm(const Conv2dGeometry& g) const override { return dispatch_.fuses_norm(g); }

 private:
  emulation::WithSchedule schedule_;
  DeviceStreams streams_;  // copies only: a kernel is done when its call returns
  // Winograd's algorithm would round more than a library does.
  std::unique_ptr<Backend> cpu_ = make_cpu_backend(1, ConvolutionAlgorithm::direct);
  StandInConvolutions<T> convolutions_{*cpu_};
  StandInProducts<T> products_;
  std::vector<double> workspace_, partials_ = std::vector<double>(cuda::kPartials);
  cuda::LaunchContext context_{.stream = nullptr, .workspace = nullptr, .partials = partials_.data()};
  cuda::Dispatch<T> dispatch_;
};

}  // namespace crescendo::test
