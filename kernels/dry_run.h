// A backend that computes nothing and touches no memory: it counts the multiply-adds a model would need, and
// asks a real backend for the sizes of its elements and workspace.
#pragma once

#include <memory>

#include "kernels/backend.h"

namespace crescendo {

class DryRunBackend : public Backend {
 public:
  explicit DryRunBackend(std::shared_ptr<const Backend> modelled) : modelled_(std::move(modelled)) {}

  // Of convolutions and linear layers; a whole step, and its forward pass alone.
  int64_t multiply_adds() const { return forward_multiply_adds_ + backward_multiply_adds_; }
  int64_t forward_multiply_adds() const { return forward_multiply_adds_; }

  std::string name() const override;

  bool is_host() const override { return modelled_->is_host(); }
  size_t free_memory() const override { return modelled_->free_memory(); }
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

  bool finishes_before_storing() const override { return modelled_->finishes_before_storing(); }
  int64_t packed_weight_size(const Conv2dGeometry&) const override;
  void pack_weight(const Conv2dGeometry&, const activation*, real*) override {}
  void conv2d_forward(const Conv2dGeometry&, const activation* x, const ConvolutionWeight&,
                      const ConvolutionEpilogue&, activation* y) override;
  void conv2d_backward_data(const Conv2dGeometry&, const activation* dy, const activation* weight,
                            activation* dx, Write) override;
  void conv2d_backward_weight(const Conv2dGeometry&, const activation* x, const activation* dy, real* dweight,
                              Write) override;

  size_t sibling_workspace(std::span<const Conv2dGeometry> siblings) const override {
    return modelled_->sibling_workspace(siblings);
  }

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

  void bias_backward(const BiasGeometry&, const activation*, real*, Write) override {}

  bool stores_among_channels() const override { return modelled_->stores_among_channels(); }
  void ghost_moments(const BatchNormGeometry&, const activation*, real*, real*) override {}
  void normalise(const BatchNormGeometry&, const activation*, const NormOperands&, const activation*,
                 activation*) override {}
  void ghost_batch_norm_backward(const BatchNormGeometry&, const activation*, const activation*,
                                 const NormOperands&, activation*, Write, real*, real*, Write) override {}
  void update_running_statistics(const BatchNormGeometry&, double, double, const real*, const real*, real*,
                                 real*) override {}

  void max_pool2d_forward(const Pool2dGeometry&, const activation*, activation*, int32_t*) override {}
  void max_pool2d_backward(const Pool2dGeometry&, const activation*, const int32_t*, activation*,
                           Write) override {}
  void average_pool2d_forward(const Pool2dGeometry&, const activation*, activation*) override {}
  void average_pool2d_backward(const Pool2dGeometry&, const activation*, activation*, Write) override {}

  void relu_forward(int64_t, const activation*, activation*) override {}
  void relu_backward(int64_t, const activation*, const activation*, activation*, Write) override {}
  void scale_add(int64_t, const activation*, double, const activation*, activation*) override {}
  void scale(int64_t, double, const activation*, activation*, Write) override {}
  void dropout(const DropoutGeometry&, const StepCounters*, const activation*, activation*, Write) override {}
  void copy_channels(const ChannelSlice&, const activation*, activation*, Write) override {}

  void softmax_cross_entropy_forward(const CrossEntropyGeometry&, const activation*, const int32_t*, real*,
                                     int32_t*) override {}
  void softmax_cross_entropy_backward(const CrossEntropyGeometry&, const activation*, const int32_t*,
                                      const real*, activation*, Write) override {}

  void fill(int64_t, double, real*) override {}
  void fill_activations(int64_t, double, activation*) override {}
  void blend(int64_t, double, double, const real*, real*) override {}
  void sum_of_squares(int64_t, const real*, double*, Write) override {}

  void gather_images(const ImageGather&, const StepCounters*, const ImageSet&, activation*,
                     int32_t*) override {}
  void convert_samples(int64_t, int64_t, const float*, const int32_t*, activation*, int32_t*) override {}
  void count_samples(const SampleCount&, const real*, const int32_t*, StepCounters*) override {}
  void check_finite(int64_t, const real*, StepCounters*) override {}

  void sgd(const OptimizerStep&, const real*, real*, activation*) override {}
  void momentum(const MomentumStep&, const real*, real*, real*, activation*) override {}
  void adam(const AdamStep&, const real*, real*, real*, real*, activation*) override {}

 private:
  std::shared_ptr<const Backend> modelled_;
  uintptr_t next_address_ = 0;
  int64_t forward_multiply_adds_ = 0, backward_multiply_adds_ = 0;
};

}  // namespace crescendo
