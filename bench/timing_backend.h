// A backend that passes every call on to another and notes how long it took, kernel by kernel and size by
// size: where a training step's time goes.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "kernels/backend.h"
#include "work.h"

namespace crescendo::bench {

struct KernelName {
  std::string kernel, sizes;
  auto operator<=>(const KernelName&) const = default;
};

struct KernelTime {
  int64_t calls = 0;
  double seconds = 0, multiply_adds = 0, bytes = 0;  // of all calls
};

class TimingBackend final : public Backend {
 public:
  explicit TimingBackend(std::unique_ptr<Backend> timed) : timed_(std::move(timed)) {}

  // Since the last forget(). Memory, workspace and transfers of bytes are not timed.
  const std::map<KernelName, KernelTime>& times() const { return times_; }
  void forget() { times_.clear(); }

  std::string name() const override { return timed_->name(); }

  bool is_host() const override { return timed_->is_host(); }
  size_t free_memory() const override { return timed_->free_memory(); }
  size_t activation_bytes() const override { return timed_->activation_bytes(); }
  void* allocate(size_t bytes) override { return timed_->allocate(bytes); }
  void release(void* block, size_t bytes) override { timed_->release(block, bytes); }
  void upload(const void* host, void* to, size_t bytes) override { timed_->upload(host, to, bytes); }
  void download(const void* from, void* host, size_t bytes) override { timed_->download(from, host, bytes); }
  void upload_activations(int64_t n, const float* host, activation* to) override;
  void download_activations(int64_t n, const activation* from, real* host) override;
  std::unique_ptr<StagedUpload> open_upload() override { return timed_->open_upload(); }

  size_t workspace(const Conv2dGeometry& g) const override { return timed_->workspace(g); }
  size_t workspace(const BatchNormGeometry& g) const override { return timed_->workspace(g); }
  size_t workspace(const Conv2dGeometry& g, const BatchNormGeometry& norm) const override {
    return timed_->workspace(g, norm);
  }
  size_t workspace(const LinearGeometry& g) const override { return timed_->workspace(g); }
  size_t workspace(const BiasGeometry& g) const override { return timed_->workspace(g); }
  std::unique_ptr<KernelGraph> capture(const std::function<void()>&) override { return nullptr; }
  void reserve_workspace(size_t bytes) override { timed_->reserve_workspace(bytes); }

  bool finishes_before_storing() const override { return timed_->finishes_before_storing(); }
  int64_t packed_weight_size(const Conv2dGeometry& g) const override { return timed_->packed_weight_size(g); }
  void pack_weight(const Conv2dGeometry&, const activation* weight, real* packed) override;
  void conv2d_forward(const Conv2dGeometry&, const activation* x, const ConvolutionWeight&,
                      const ConvolutionEpilogue&, activation* y) override;
  void conv2d_backward_data(const Conv2dGeometry&, const activation* dy, const activation* weight,
                            activation* dx, Write) override;
  void conv2d_backward_weight(const Conv2dGeometry&, const activation* x, const activation* dy, real* dweight,
                              Write) override;

  size_t sibling_workspace(std::span<const Conv2dGeometry> siblings) const override {
    return timed_->sibling_workspace(siblings);
  }
  void sibling_conv2d_forward(const activation* x, std::span<const SiblingConvolution>) override;
  void sibling_conv2d_backward_data(std::span<const SiblingGradient>, activation* dx, Write) override;

  bool fuses_norm(const Conv2dGeometry& g) const override { return timed_->fuses_norm(g); }
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

  bool stores_among_channels() const override { return timed_->stores_among_channels(); }
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
  template <class Geometry, class Call>
  void time(const char* kernel, const Geometry& geometry, const Work& work, const Call& call);

  std::unique_ptr<Backend> timed_;
  std::map<KernelName, KernelTime> times_;
};

}  // namespace crescendo::bench
