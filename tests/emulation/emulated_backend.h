// CUDA's own kernels, emulated, beside the processor's matrix products and, where own convolutions are not
// asked for or not for the geometry, its convolutions.
#pragma once

#include <cmath>
#include <memory>
#include <vector>

#include "emulation/emulator.h"
#include "kernels/cpu/backend.h"
#include "kernels/cuda/own_convolutions.h"
#include "support/device_streams.h"

namespace crescendo::test {

template <class T>
class EmulatedBackend final : public cuda::OwnConvolutions<T> {
 public:
  // Its launches, and all others while it lives, follow `schedule`.
  explicit EmulatedBackend(emulation::Schedule schedule,
                           ConvolutionAlgorithm convolution = ConvolutionAlgorithm::automatic)
      : cuda::OwnConvolutions<T>(nullptr, convolution), schedule_(schedule), partials_(this->kPartials) {}

  std::string name() const override { return "emulated CUDA kernels"; }

  bool is_host() const override { return false; }
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

  using cuda::OwnConvolutions<T>::workspace;
  size_t workspace(const Conv2dGeometry& g) const override {
    return this->computes(g) && !cuda::is_empty(g) ? this->own_workspace(g) : cpu_->workspace(g);
  }
  size_t workspace(const LinearGeometry& g) const override { return cpu_->workspace(g); }
  void reserve_workspace(size_t bytes) override {
    if (workspace_.size() * sizeof(double) < bytes)
      workspace_.resize(bytes / sizeof(double) + 1, std::nan(""));
    cpu_->reserve_workspace(bytes);
  }

  std::unique_ptr<KernelGraph> capture(const std::function<void()>&) override { return nullptr; }

  void conv2d_forward(const Conv2dGeometry& g, const activation* x, const ConvolutionWeight& weight,
                      const ConvolutionEpilogue& epilogue, activation* y) override {
    if (cuda::is_empty(g)) return;
    if (this->computes(g)) return this->own_forward(g, x, weight.values, epilogue, y);
    Wide to(y, g.n * g.p * g.q * g.k);
    cpu_->conv2d_forward(g, inputs(g, x), {weights(g, weight.values)}, {}, to);
    to.write(y);
    this->finish_convolution(g, epilogue, y);
  }
  void conv2d_backward_data(const Conv2dGeometry& g, const activation* dy, const activation* weight,
                            activation* dx, Write write) override {
    if (cuda::is_empty(g)) return;
    if (this->computes(g)) return this->own_backward_data(g, dy, weight, dx, write);
    Wide to(dx, g.n * g.h * g.w * g.c);
    cpu_->conv2d_backward_data(g, outputs(g, dy), weights(g, weight), to, write);
    to.write(dx);
  }
  void conv2d_backward_weight(const Conv2dGeometry& g, const activation* x, const activation* dy,
                              real* dweight, Write write) override {
    if (cuda::is_empty(g)) return;
    if (this->computes(g)) return this->own_backward_weight(g, x, dy, dweight, write);
    cpu_->conv2d_backward_weight(g, inputs(g, x), outputs(g, dy), dweight, write);
  }

  void linear_forward(const LinearGeometry& g, const activation* x, const activation* weight,
                      const real* bias, activation* y) override {
    if (g.n == 0) return;
    Wide to(y, g.n * g.out);
    cpu_->linear_forward(g, Wide(x, g.n * g.in), Wide(weight, g.out * g.in), bias, to);
    to.write(y);
  }
  void linear_backward_data(const LinearGeometry& g, const activation* dy, const activation* weight,
                            activation* dx, Write write) override {
    if (g.n == 0) return;
    Wide to(dx, g.n * g.in);
    cpu_->linear_backward_data(g, Wide(dy, g.n * g.out), Wide(weight, g.out * g.in), to, write);
    to.write(dx);
  }
  void linear_backward_weight(const LinearGeometry& g, const activation* x, const activation* dy,
                              real* dweight, Write write) override {
    if (g.n == 0) return;
    cpu_->linear_backward_weight(g, Wide(x, g.n * g.in), Wide(dy, g.n * g.out), dweight, write);
  }

 protected:
  void* workspace_memory() const override { return workspace_.data(); }
  void* partials() const override { return partials_.data(); }

 private:
  // Activations as the processor's backend has them.
  class Wide {
   public:
    Wide(const activation* values, int64_t n)
        : values_(reinterpret_cast<const T*>(values), reinterpret_cast<const T*>(values) + n) {}
    operator activation*() { return reinterpret_cast<activation*>(values_.data()); }
    operator const activation*() const { return reinterpret_cast<const activation*>(values_.data()); }
    void write(activation* to) const {
      for (size_t i = 0; i < values_.size(); ++i) reinterpret_cast<T*>(to)[i] = T(values_[i]);
    }

   private:
    std::vector<real> values_;
  };
  static Wide inputs(const Conv2dGeometry& g, const activation* x) { return {x, g.n * g.h * g.w * g.c}; }
  static Wide weights(const Conv2dGeometry& g, const activation* x) { return {x, g.k * g.r * g.s * g.c}; }
  static Wide outputs(const Conv2dGeometry& g, const activation* x) { return {x, g.n * g.p * g.q * g.k}; }

  emulation::WithSchedule schedule_;
  DeviceStreams streams_;  // of copies alone: kernels are done when they are called
  std::unique_ptr<Backend> cpu_ = make_cpu_backend(1);
  mutable std::vector<double> workspace_, partials_;
};

}  // namespace crescendo::test
