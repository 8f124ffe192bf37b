// What of a backend is our own kernels, on activations of type T: float or bf16. Memory, convolutions and
// matrix products are left to whoever derives: CudaBackend takes CUDA's libraries for them, the tests their
// stand-ins.
#pragma once

#include <cuda_runtime.h>

#include "kernels/backend.h"
#include "kernels/cuda/bf16.h"

namespace crescendo::cuda {

template <class T>
class OwnKernels : public Backend {
 public:
  explicit OwnKernels(cudaStream_t stream) : stream_(stream) {}

  size_t activation_bytes() const override { return sizeof(T); }

  using Backend::workspace;
  size_t workspace(const BatchNormGeometry&) const override;
  size_t workspace(const BiasGeometry&) const override;

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

  // Besides:
  // What becomes of a convolution's sums, which y holds.
  void finish_convolution(const Conv2dGeometry&, const ConvolutionEpilogue&, activation* y);
  // The same of y [rows,channels], without a norm.
  void finish_sums(int64_t rows, int64_t channels, const ConvolutionEpilogue&, activation* y);
  // to (=|+=) from
  void widen(int64_t n, const activation* from, real* to, Write);

 protected:
  cudaStream_t stream() const { return stream_; }
  // At least what workspace() said, 256-byte aligned.
  virtual void* workspace_memory() const = 0;
  // Room for kPartials results of the blocks of a reduction over a flat store.
  virtual void* partials() const = 0;
  static constexpr int64_t kPartials = 256;  // of eight bytes

 private:
  static T* values_of(activation* x) { return reinterpret_cast<T*>(x); }
  static const T* values_of(const activation* x) { return reinterpret_cast<const T*>(x); }

  cudaStream_t stream_;
};

extern template class OwnKernels<float>;
extern template class OwnKernels<bf16>;

}  // namespace crescendo::cuda
