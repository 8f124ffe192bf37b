// The CPU backend. Comments below name the file that defines each kernel. An activation is a `real` here.
#pragma once

#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/parallel.h"
#include "kernels/host_exchange.h"

namespace crescendo::CRESCENDO_CPU {

// Return activations as numbers of type `real`.
inline const real* values_of(const activation* a) { return reinterpret_cast<const real*>(a); }
inline real* values_of(activation* a) { return reinterpret_cast<real*>(a); }
inline const real* values_of(const real* a) { return a; }
inline real* values_of(real* a) { return a; }

class CpuBackend final : public Backend {
 public:
  CpuBackend(int threads, ConvolutionAlgorithm convolution) : threads_(threads), convolution_(convolution) {}
  ~CpuBackend() override;

  std::string name() const override;
  Capabilities capabilities() const override {
    return {.is_host = true,
            .activation_bytes = sizeof(real),
            .finishes_before_storing = true,
            .stores_among_channels = true};
  }

  size_t free_memory() const override;
  void* allocate(size_t bytes) override;
  void release(void* block, size_t bytes) override;
  void upload(const void* host, void* to, size_t bytes) override;
  void download(const void* from, void* host, size_t bytes) override;
  void upload_activations(int64_t n, const float* host, activation* to) override;
  void download_activations(int64_t n, const activation* from, real* host) override;
  std::unique_ptr<StagedUpload> open_upload() override { return nullptr; }
  std::unique_ptr<SumExchange> open_exchange(Communicator& workers) override {
    return make_host_exchange(*this, workers);
  }

  void run(const KernelCall&) override;
  size_t workspace(const KernelCall&) const override;
  void reserve_workspace(size_t bytes) override;
  std::unique_ptr<KernelGraph> capture(const std::function<void()>&) override { return nullptr; }

  int64_t packed_weight_size(const Conv2dGeometry&) const override;
  bool fuses_norm(const Conv2dGeometry&) const override;

 private:
  // conv2d.cpp
  void compute(const PackWeight&);
  void compute(const Conv2dForward&);
  void compute(const Conv2dBackwardData&);
  void compute(const Conv2dBackwardWeight&);
  void compute(const SiblingConv2dForward&);
  void compute(const SiblingConv2dBackwardData&);
  // norm_conv2d.cpp
  void compute(const NormConv2dForward&);
  void compute(const NormConv2dBackwardWeight&);
  void compute(const NormConv2dBackwardData&);
  // linear.cpp
  void compute(const LinearForward&);
  void compute(const LinearBackwardData&);
  void compute(const LinearBackwardWeight&);
  // ghost_batch_norm.cpp
  void compute(const BiasBackward&);
  void compute(const GhostMoments&);
  void compute(const Normalise&);
  void compute(const GhostBatchNormBackward&);
  void compute(const UpdateRunningStatistics&);
  // pool2d.cpp
  void compute(const MaxPool2dForward&);
  void compute(const MaxPool2dBackward&);
  void compute(const AveragePool2dForward&);
  void compute(const AveragePool2dBackward&);
  // Every call that computes each element by itself
  template <Elementwise Call>
  void compute(const Call& call) {
    call.elementwise([&](const auto& formula, Write write, auto* to, const auto*... from) {
      map(call.n, formula, write, values_of(to), values_of(from)...);
    });
  }
  // pointwise.cpp
  void compute(const Dropout&);
  void compute(const CopyChannels&);
  // cross_entropy.cpp
  void compute(const SoftmaxCrossEntropyForward&);
  void compute(const SoftmaxCrossEntropyBackward&);
  // samples.cpp
  void compute(const GatherImages&);
  void compute(const ConvertSamples&);
  // sums.cpp
  void compute(const BeginUpdate&);
  void compute(const AddToSums&);
  void compute(const AddStatistics&);
  void compute(const TakeSums&);
  void compute(const SumOfSquares&);
  void compute(const AddSquare&);
  void compute(const CountSamples&);
  void compute(const CheckFinite&);
  void compute(const EndUpdate&);
  // optimizer.cpp
  void compute(const Sgd&);
  void compute(const Momentum&);
  void compute(const Adam&);

  // Return the bytes of workspace that any pass over the geometry needs.
  size_t workspace_for(const Conv2dGeometry&) const;
  size_t workspace_for(const Conv2dGeometry&, const BatchNormGeometry&) const;
  template <class Sibling>
  size_t workspace_for(const std::vector<Sibling>&) const;
  size_t workspace_for(const LinearGeometry&) const;
  size_t workspace_for(const BatchNormGeometry&) const;
  size_t workspace_for(const BiasGeometry&) const;

  template <class F>
  void each(int64_t n, const F& f) const {
    CRESCENDO_CPU::each(threads_, n, f);
  }
  template <class F>
  void parallel_for(int64_t n, const F& f) const {
    CRESCENDO_CPU::parallel_for(threads_, n, f);
  }
  // Computes to[i] (=|+=) f(from[i]...) for i in [0, n).
  template <class F, class... From>
  void map(int64_t n, const F& f, Write write, real* to, const From*... from) const {
    if (write == Write::add)
      each(n, [=](int64_t i) { to[i] += f(from[i]...); });
    else
      each(n, [=](int64_t i) { to[i] = f(from[i]...); });
  }
  // Returns the workspace as elements of type T. Each kernel divides the workspace itself.
  template <class T>
  T* workspace_as() const {
    return static_cast<T*>(workspace_);
  }

  Threads threads_;
  ConvolutionAlgorithm convolution_;
  void* workspace_ = nullptr;
  size_t workspace_bytes_ = 0;
};

}  // namespace crescendo::CRESCENDO_CPU
