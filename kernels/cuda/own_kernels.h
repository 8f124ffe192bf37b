// The calls that our own kernels compute whatever the geometry, on activations of type T: float or bf16.
#pragma once

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/launch_context.h"
#include "kernels/kernel_call.h"

namespace crescendo::cuda {

template <class T>
class OwnKernels {
 public:
  // The context must outlive this object.
  explicit OwnKernels(const LaunchContext& context) : context_(context) {}

  void compute(const BiasBackward&);

  void compute(const GhostMoments&);
  void compute(const Normalise&);
  void compute(const GhostBatchNormBackward&);
  void compute(const UpdateRunningStatistics&);

  void compute(const MaxPool2dForward&);
  void compute(const MaxPool2dBackward&);
  void compute(const AveragePool2dForward&);
  void compute(const AveragePool2dBackward&);

  // Computes any call that computes each element by itself.
  void compute_elements(const KernelCall&);
  template <Elementwise Call>
  void compute(const Call& call) {
    compute_elements(call);
  }
  void compute(const Dropout&);
  void compute(const CopyChannels&);

  void compute(const SoftmaxCrossEntropyForward&);
  void compute(const SoftmaxCrossEntropyBackward&);

  void compute(const BeginUpdate&);
  void compute(const AddToSums&);
  void compute(const AddStatistics&);
  void compute(const TakeSums&);
  void compute(const SumOfSquares&);
  void compute(const AddSquare&);
  void compute(const CountSamples&);
  void compute(const CheckFinite&);
  void compute(const EndUpdate&);

  void compute(const Sgd&);
  void compute(const Momentum&);
  void compute(const Adam&);

  void compute(const GatherImages&);
  void compute(const ConvertSamples&);

  // Returns the bytes of workspace that any call with the geometry needs.
  static size_t workspace(const BatchNormGeometry&);
  static size_t workspace(const BiasGeometry&);

  // ---- Parts of calls that a library begins.
  // Applies the epilogue to a convolution's sums, which y holds.
  void finish_convolution(const Conv2dGeometry&, const ConvolutionEpilogue&, activation* y);
  // Applies an epilogue without a norm to sums y [rows,channels].
  void finish_sums(int64_t rows, int64_t channels, const ConvolutionEpilogue&, activation* y);
  // to (=|+=) from
  void widen(int64_t n, const activation* from, real* to, Write);

 private:
  static T* values_of(activation* x) { return reinterpret_cast<T*>(x); }
  static const T* values_of(const activation* x) { return reinterpret_cast<const T*>(x); }
  static real* values_of(real* x) { return x; }
  static const real* values_of(const real* x) { return x; }

  cudaStream_t stream() const { return context_.stream; }

  const LaunchContext& context_;
};

extern template class OwnKernels<float>;
extern template class OwnKernels<bf16>;

}  // namespace crescendo::cuda
