// The processor's backend: one class, its kernels in files of their own. activation is real here.
#pragma once

#include "kernels/backend.h"
#include "kernels/cpu/parallel.h"

namespace crescendo::CRESCENDO_CPU {

// The only place where the opaque type becomes a number.
inline const real* values_of(const activation* a) { return reinterpret_cast<const real*>(a); }
inline real* values_of(activation* a) { return reinterpret_cast<real*>(a); }

class CpuBackend final : public Backend {
 public:
  CpuBackend(int threads, ConvolutionAlgorithm convolution) : threads_(threads), convolution_(convolution) {}
  ~CpuBackend() override;

  std::string name() const override;

  bool is_host() const override { return true; }
  size_t free_memory() const override;
  size_t activation_bytes() const override;
  void* allocate(size_t bytes) override;
  void release(void* block, size_t bytes) override;
  void upload(const void* host, void* to, size_t bytes) override;
  void download(const void* from, void* host, size_t bytes) override;
  void upload_activations(int64_t n, const float* host, activation* to) override;
  void download_activations(int64_t n, const activation* from, real* host) override;
  std::unique_ptr<StagedUpload> open_upload() override { return nullptr; }

  size_t workspace(const Conv2dGeometry&) const override;
  size_t workspace(const BatchNormGeometry&) const override;
  size_t workspace(const Conv2dGeometry&, const BatchNormGeometry&) const override;
  size_t workspace(const LinearGeometry&) const override;
  size_t workspace(const BiasGeometry&) const override;
  void reserve_workspace(size_t bytes) override;
  std::unique_ptr<KernelGraph> capture(const std::function<void()>&) override { return nullptr; }

  bool finishes_before_storing() const override { return true; }
  int64_t packed_weight_size(const Conv2dGeometry&) const override;
  void pack_weight(const Conv2dGeometry&, const activation* weight, real* packed) override;
  void conv2d_forward(const Conv2dGeometry&, const activation* x, const ConvolutionWeight&,
                      const ConvolutionEpilogue&, activation* y) override;
  void conv2d_backward_data(const Conv2dGeometry&, const activation* dy, const activation* weight,
                            activation* dx, Write) override;
  void conv2d_backward_weight(const Conv2dGeometry&, const activation* x, const activation* dy, real* dweight,
                              Write) override;

  size_t sibling_workspace(std::span<const Conv2dGeometry>) const override;
  void sibling_conv2d_forward(const activation* x, std::span<const SiblingConvolution>) override;
  void sibling_conv2d_backward_data(std::span<const SiblingGradient>, activation* dx, Write) override;

  bool fuses_norm(const Conv2dGeometry&) const override;
  void norm_conv2d_forward(const Conv2dGeometry&, const BatchNormGeometry&, const activation* x,
                           const NormOperands&, const activation* weight, const activation* residual,
                           activation* y, real* y_mean, real* y_variance) override;
  void norm_conv2d_backward_weight(const Conv2dGeometry&, const BatchNormGeometry&, const activation* x,
                                   const NormOperands&, const activation* dy, real* dweight, Write) override;
  void norm_conv2d_backward_data(const Conv2dGeometry&, const BatchNormGeometry&, const activation* x,
                                 const NormOperands&, const activation* dy, const activation* weight,
                                 activation* between, activation* dx, Write write_dx, real* dscale,
                                 real* dshift, Write write_parameters) override;

  void linear_forward(const LinearGeometry&, const activation* x, const activation* weight, const real* bias,
                      activation* y) override;
  void linear_backward_data(const LinearGeometry&, const activation* dy, const activation* weight,
                            activation* dx, Write) override;
  void linear_backward_weight(const LinearGeometry&, const activation* x, const activation* dy, real* dweight,
                              Write) override;

  void bias_backward(const BiasGeometry&, const activation* dy, real* dbias, Write) override;

  bool stores_among_channels() const override { return true; }
  void ghost_moments(const BatchNormGeometry&, const activation* x, real* mean, real* variance) override;
  void normalise(const BatchNormGeometry&, const activation* x, const NormOperands&,
                 const activation* residual, activation* y) override;
  void ghost_batch_norm_backward(const BatchNormGeometry&, const activation* x, const activation* dy,
                                 const NormOperands&, activation* dx, Write write_dx, real* dscale,
                                 real* dshift, Write write_parameters) override;
  void update_running_statistics(const BatchNormGeometry&, double keep, double weight, const real* mean,
                                 const real* variance, real* running_mean, real* running_variance) override;

  void max_pool2d_forward(const Pool2dGeometry&, const activation* x, activation* y,
                          int32_t* winners) override;
  void max_pool2d_backward(const Pool2dGeometry&, const activation* dy, const int32_t* winners,
                           activation* dx, Write) override;
  void average_pool2d_forward(const Pool2dGeometry&, const activation* x, activation* y) override;
  void average_pool2d_backward(const Pool2dGeometry&, const activation* dy, activation* dx, Write) override;

  void relu_forward(int64_t n, const activation* x, activation* y) override;
  void relu_backward(int64_t n, const activation* y, const activation* dy, activation* dx, Write) override;
  void scale_add(int64_t n, const activation* a, double factor, const activation* b, activation* y) override;
  void scale(int64_t n, double factor, const activation* dy, activation* dx, Write) override;
  void dropout(const DropoutGeometry&, const StepCounters*, const activation* x, activation* y,
               Write) override;
  void copy_channels(const ChannelSlice&, const activation* from, activation* to, Write) override;

  void softmax_cross_entropy_forward(const CrossEntropyGeometry&, const activation* logits,
                                     const int32_t* labels, real* losses, int32_t* correct) override;
  void softmax_cross_entropy_backward(const CrossEntropyGeometry&, const activation* logits,
                                      const int32_t* labels, const real* dlosses, activation* dlogits,
                                      Write) override;

  void fill(int64_t n, double value, real* to) override;
  void fill_activations(int64_t n, double value, activation* to) override;
  void blend(int64_t n, double keep, double weight, const real* from, real* to) override;
  void sum_of_squares(int64_t n, const real* x, double* result, Write) override;

  void gather_images(const ImageGather&, const StepCounters*, const ImageSet&, activation* images,
                     int32_t* labels) override;
  void convert_samples(int64_t n, int64_t elements, const float* images, const int32_t* labels,
                       activation* to_images, int32_t* to_labels) override;
  void count_samples(const SampleCount&, const real* losses, const int32_t* correct, StepCounters*) override;
  void check_finite(int64_t n, const real* gradients, StepCounters*) override;

  void sgd(const OptimizerStep&, const real* gradients, real* values, activation* copy) override;
  void momentum(const MomentumStep&, const real* gradients, real* values, real* velocity,
                activation* copy) override;
  void adam(const AdamStep&, const real* gradients, real* values, real* first, real* second,
            activation* copy) override;

 private:
  template <class F>
  void each(int64_t n, const F& f) const {
    CRESCENDO_CPU::each(threads_, n, f);
  }
  template <class F>
  void parallel_for(int64_t n, const F& f) const {
    CRESCENDO_CPU::parallel_for(threads_, n, f);
  }
  // to[i] (=|+=) f(i)
  template <class F>
  void each_write(int64_t n, Write write, real* to, const F& f) const {
    if (write == Write::add)
      each(n, [&](int64_t i) { to[i] += f(i); });
    else
      each(n, [&](int64_t i) { to[i] = f(i); });
  }
  // The workspace, as elements of T; a kernel takes it once and lays it out itself.
  template <class T>
  T* workspace_as() const {
    return static_cast<T*>(workspace_);
  }

  int threads_;
  ConvolutionAlgorithm convolution_;
  void* workspace_ = nullptr;
  size_t workspace_bytes_ = 0;
};

}  // namespace crescendo::CRESCENDO_CPU
