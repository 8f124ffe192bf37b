// Another backend's kernels, with a record of every call: its name, sizes and pointers. It captures them as a
// GPU would, does them later, and has memory that is not the host's, as far as anybody can tell.
#pragma once

#include <functional>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "support/device_streams.h"

namespace crescendo::test {

class TracingBackend final : public Backend {
 public:
  TracingBackend(std::unique_ptr<Backend> traced, bool captures, CopyTime copies = CopyTime::last)
      : traced_(std::move(traced)), captures_(captures), copies_(copies) {}

  std::vector<std::string> trace;  // of kernels, also of those that were only captured
  int64_t allocations = 0, transfers = 0, captures = 0, launches = 0;
  size_t memory = size_t{1} << 40;  // that it says is free

  std::string name() const override { return "tracing " + traced_->name(); }

  bool is_host() const override { return false; }
  size_t free_memory() const override { return memory; }
  size_t activation_bytes() const override { return traced_->activation_bytes(); }
  void* allocate(size_t bytes) override {
    ++allocations;
    return traced_->allocate(bytes);
  }
  void release(void* block, size_t bytes) override {
    streams_.finish();
    traced_->release(block, bytes);
  }
  void upload(const void* host, void* to, size_t bytes) override {
    note_transfer();
    traced_->upload(host, to, bytes);
  }
  void download(const void* from, void* host, size_t bytes) override {
    note_transfer();
    traced_->download(from, host, bytes);
  }
  void upload_activations(int64_t n, const float* host, activation* to) override {
    note_transfer();
    traced_->upload_activations(n, host, to);
  }
  void download_activations(int64_t n, const activation* from, real* host) override {
    note_transfer();
    traced_->download_activations(n, from, host);
  }
  std::unique_ptr<StagedUpload> open_upload() override { return streams_.open_upload(copies_); }
  const DeviceStreams& streams() const { return streams_; }

  size_t workspace(const Conv2dGeometry& g) const override { return traced_->workspace(g); }
  size_t workspace(const BatchNormGeometry& g) const override { return traced_->workspace(g); }
  size_t workspace(const Conv2dGeometry& g, const BatchNormGeometry& norm) const override {
    return traced_->workspace(g, norm);
  }
  size_t workspace(const LinearGeometry& g) const override { return traced_->workspace(g); }
  size_t workspace(const BiasGeometry& g) const override { return traced_->workspace(g); }
  void reserve_workspace(size_t bytes) override {
    streams_.finish();
    traced_->reserve_workspace(bytes);
  }

  std::unique_ptr<KernelGraph> capture(const std::function<void()>& work) override {
    if (!captures_) return nullptr;
    auto graph = std::make_unique<Graph>(streams_, launches);
    capturing_ = graph.get();
    work();
    capturing_ = nullptr;
    ++captures;
    return graph;
  }

  bool finishes_before_storing() const override { return traced_->finishes_before_storing(); }
  int64_t packed_weight_size(const Conv2dGeometry& g) const override {
    return traced_->packed_weight_size(g);
  }
  void pack_weight(const Conv2dGeometry& g, const activation* weight, real* packed) override {
    call("pack_weight", &Backend::pack_weight, g, weight, packed);
  }
  void conv2d_forward(const Conv2dGeometry& g, const activation* x, const ConvolutionWeight& weight,
                      const ConvolutionEpilogue& epilogue, activation* y) override {
    call("conv2d_forward", &Backend::conv2d_forward, g, x, weight, epilogue, y);
  }
  void conv2d_backward_data(const Conv2dGeometry& g, const activation* dy, const activation* weight,
                            activation* dx, Write write) override {
    call("conv2d_backward_data", &Backend::conv2d_backward_data, g, dy, weight, dx, write);
  }
  void conv2d_backward_weight(const Conv2dGeometry& g, const activation* x, const activation* dy,
                              real* dweight, Write write) override {
    call("conv2d_backward_weight", &Backend::conv2d_backward_weight, g, x, dy, dweight, write);
  }
  bool fuses_norm(const Conv2dGeometry& g) const override { return traced_->fuses_norm(g); }
  void norm_conv2d_forward(const Conv2dGeometry& g, const BatchNormGeometry& norm, const activation* x,
                           const NormOperands& operands, const activation* weight, const activation* residual,
                           activation* y, real* y_mean, real* y_variance) override {
    call("norm_conv2d_forward", &Backend::norm_conv2d_forward, g, norm, x, operands, weight, residual, y,
         y_mean, y_variance);
  }
  void norm_conv2d_backward_weight(const Conv2dGeometry& g, const BatchNormGeometry& norm,
                                   const activation* x, const NormOperands& operands, const activation* dy,
                                   real* dweight, Write write) override {
    call("norm_conv2d_backward_weight", &Backend::norm_conv2d_backward_weight, g, norm, x, operands, dy,
         dweight, write);
  }
  void norm_conv2d_backward_data(const Conv2dGeometry& g, const BatchNormGeometry& norm, const activation* x,
                                 const NormOperands& operands, const activation* dy, const activation* weight,
                                 activation* between, activation* dx, Write write_dx, real* dscale,
                                 real* dshift, Write write_parameters) override {
    call("norm_conv2d_backward_data", &Backend::norm_conv2d_backward_data, g, norm, x, operands, dy, weight,
         between, dx, write_dx, dscale, dshift, write_parameters);
  }
  void linear_forward(const LinearGeometry& g, const activation* x, const activation* weight,
                      const real* bias, activation* y) override {
    call("linear_forward", &Backend::linear_forward, g, x, weight, bias, y);
  }
  void linear_backward_data(const LinearGeometry& g, const activation* dy, const activation* weight,
                            activation* dx, Write write) override {
    call("linear_backward_data", &Backend::linear_backward_data, g, dy, weight, dx, write);
  }
  void linear_backward_weight(const LinearGeometry& g, const activation* x, const activation* dy,
                              real* dweight, Write write) override {
    call("linear_backward_weight", &Backend::linear_backward_weight, g, x, dy, dweight, write);
  }
  void bias_backward(const BiasGeometry& g, const activation* dy, real* dbias, Write write) override {
    call("bias_backward", &Backend::bias_backward, g, dy, dbias, write);
  }
  bool stores_among_channels() const override { return traced_->stores_among_channels(); }
  void ghost_moments(const BatchNormGeometry& g, const activation* x, real* mean, real* variance) override {
    call("ghost_moments", &Backend::ghost_moments, g, x, mean, variance);
  }
  void normalise(const BatchNormGeometry& g, const activation* x, const NormOperands& operands,
                 const activation* residual, activation* y) override {
    call("normalise", &Backend::normalise, g, x, operands, residual, y);
  }
  void ghost_batch_norm_backward(const BatchNormGeometry& g, const activation* x, const activation* dy,
                                 const NormOperands& operands, activation* dx, Write write_dx, real* dscale,
                                 real* dshift, Write write_parameters) override {
    call("ghost_batch_norm_backward", &Backend::ghost_batch_norm_backward, g, x, dy, operands, dx, write_dx,
         dscale, dshift, write_parameters);
  }
  void update_running_statistics(const BatchNormGeometry& g, double keep, double weight, const real* mean,
                                 const real* variance, real* running_mean, real* running_variance) override {
    call("update_running_statistics", &Backend::update_running_statistics, g, keep, weight, mean, variance,
         running_mean, running_variance);
  }
  void max_pool2d_forward(const Pool2dGeometry& g, const activation* x, activation* y,
                          int32_t* winners) override {
    call("max_pool2d_forward", &Backend::max_pool2d_forward, g, x, y, winners);
  }
  void max_pool2d_backward(const Pool2dGeometry& g, const activation* dy, const int32_t* winners,
                           activation* dx, Write write) override {
    call("max_pool2d_backward", &Backend::max_pool2d_backward, g, dy, winners, dx, write);
  }
  void average_pool2d_forward(const Pool2dGeometry& g, const activation* x, activation* y) override {
    call("average_pool2d_forward", &Backend::average_pool2d_forward, g, x, y);
  }
  void average_pool2d_backward(const Pool2dGeometry& g, const activation* dy, activation* dx,
                               Write write) override {
    call("average_pool2d_backward", &Backend::average_pool2d_backward, g, dy, dx, write);
  }
  void relu_forward(int64_t n, const activation* x, activation* y) override {
    call("relu_forward", &Backend::relu_forward, n, x, y);
  }
  void relu_backward(int64_t n, const activation* y, const activation* dy, activation* dx,
                     Write write) override {
    call("relu_backward", &Backend::relu_backward, n, y, dy, dx, write);
  }
  void scale_add(int64_t n, const activation* a, double factor, const activation* b, activation* y) override {
    call("scale_add", &Backend::scale_add, n, a, factor, b, y);
  }
  void scale(int64_t n, double factor, const activation* dy, activation* dx, Write write) override {
    call("scale", &Backend::scale, n, factor, dy, dx, write);
  }
  void dropout(const DropoutGeometry& g, const StepCounters* counters, const activation* x, activation* y,
               Write write) override {
    call("dropout", &Backend::dropout, g, counters, x, y, write);
  }
  void copy_channels(const ChannelSlice& g, const activation* from, activation* to, Write write) override {
    call("copy_channels", &Backend::copy_channels, g, from, to, write);
  }
  void softmax_cross_entropy_forward(const CrossEntropyGeometry& g, const activation* logits,
                                     const int32_t* labels, real* losses, int32_t* correct) override {
    call("softmax_cross_entropy_forward", &Backend::softmax_cross_entropy_forward, g, logits, labels, losses,
         correct);
  }
  void softmax_cross_entropy_backward(const CrossEntropyGeometry& g, const activation* logits,
                                      const int32_t* labels, const real* dlosses, activation* dlogits,
                                      Write write) override {
    call("softmax_cross_entropy_backward", &Backend::softmax_cross_entropy_backward, g, logits, labels,
         dlosses, dlogits, write);
  }
  void fill(int64_t n, double value, real* to) override { call("fill", &Backend::fill, n, value, to); }
  void fill_activations(int64_t n, double value, activation* to) override {
    call("fill_activations", &Backend::fill_activations, n, value, to);
  }
  void blend(int64_t n, double keep, double weight, const real* from, real* to) override {
    call("blend", &Backend::blend, n, keep, weight, from, to);
  }
  void sum_of_squares(int64_t n, const real* x, double* result, Write write) override {
    call("sum_of_squares", &Backend::sum_of_squares, n, x, result, write);
  }
  void gather_images(const ImageGather& g, const StepCounters* counters, const ImageSet& set,
                     activation* images, int32_t* labels) override {
    call("gather_images", &Backend::gather_images, g, counters, set, images, labels);
  }
  void convert_samples(int64_t n, int64_t elements, const float* images, const int32_t* labels,
                       activation* to_images, int32_t* to_labels) override {
    call("convert_samples", &Backend::convert_samples, n, elements, images, labels, to_images, to_labels);
  }
  void count_samples(const SampleCount& g, const real* losses, const int32_t* correct,
                     StepCounters* counters) override {
    call("count_samples", &Backend::count_samples, g, losses, correct, counters);
  }
  void check_finite(int64_t n, const real* gradients, StepCounters* counters) override {
    call("check_finite", &Backend::check_finite, n, gradients, counters);
  }
  void sgd(const OptimizerStep& step, const real* gradients, real* values, activation* copy) override {
    call("sgd", &Backend::sgd, step, gradients, values, copy);
  }
  void momentum(const MomentumStep& step, const real* gradients, real* values, real* velocity,
                activation* copy) override {
    call("momentum", &Backend::momentum, step, gradients, values, velocity, copy);
  }
  void adam(const AdamStep& step, const real* gradients, real* values, real* first, real* second,
            activation* copy) override {
    call("adam", &Backend::adam, step, gradients, values, first, second, copy);
  }

 private:
  struct Graph final : KernelGraph {
    Graph(DeviceStreams& streams, int64_t& launches) : streams(streams), launches(launches) {}
    void launch() override {
      ++launches;
      for (const auto& kernel : kernels) streams.call(kernel);
    }
    DeviceStreams& streams;
    int64_t& launches;
    std::vector<std::function<void()>> kernels;
  };

  // The host waits for it.
  void note_transfer() {
    ++transfers;
    streams_.finish();
    if (capturing_ != nullptr) throw std::logic_error("capture: memory moves between host and device");
  }

  template <class... P>
  void call(const char* kernel, void (Backend::*function)(P...), std::type_identity_t<P>... arguments) {
    std::ostringstream line;
    line << kernel;
    (describe(line, arguments), ...);
    trace.push_back(line.str());
    auto run = [this, function, copies = std::tuple<std::decay_t<P>...>(arguments...)] {
      std::apply([&](const auto&... values) { (traced_.get()->*function)(values...); }, copies);
    };
    if (capturing_ != nullptr)
      capturing_->kernels.emplace_back(std::move(run));
    else
      streams_.call(std::move(run));
  }

  // All that a struct says; its bytes may have gaps.
  static auto fields(const Conv2dGeometry& g) {
    return std::tie(g.n, g.h, g.w, g.c, g.p, g.q, g.k, g.r, g.s, g.stride_h, g.stride_w, g.pad_top,
                    g.pad_left, g.ghost);
  }
  static auto fields(const ConvolutionWeight& w) { return std::tie(w.values, w.packed); }
  static auto fields(const ConvolutionEpilogue& e) {
    return std::make_tuple(e.bias, e.factor, e.norm.value_or(NormOperands{}), e.epsilon, e.residual, e.relu,
                           e.y_channels);
  }
  static auto fields(const Pool2dGeometry& g) {
    return std::tie(g.n, g.h, g.w, g.c, g.p, g.q, g.r, g.s, g.stride_h, g.stride_w, g.pad_top, g.pad_left,
                    g.count_padding, g.y_channels);
  }
  static auto fields(const BatchNormGeometry& g) {
    return std::tie(g.n, g.pixels, g.c, g.ghost, g.epsilon, g.relu, g.y_channels);
  }
  static auto fields(const LinearGeometry& g) { return std::tie(g.n, g.in, g.out, g.ghost); }
  static auto fields(const BiasGeometry& g) { return std::tie(g.n, g.pixels, g.c, g.ghost); }
  static auto fields(const ChannelSlice& g) {
    return std::tie(g.rows, g.count, g.from_channels, g.from_offset, g.to_channels, g.to_offset);
  }
  static auto fields(const CrossEntropyGeometry& g) { return std::tie(g.n, g.classes, g.smoothing); }
  static auto fields(const ImageGather& g) { return std::tie(g.n, g.h, g.w, g.images, g.key, g.augment); }
  static auto fields(const SampleCount& g) { return std::tie(g.n, g.ghost); }
  static auto fields(const DropoutGeometry& g) { return std::tie(g.n, g.elements, g.key, g.layer, g.keep); }
  static auto fields(const OptimizerStep& s) {
    return std::tie(s.n, s.decayed, s.learning_rate, s.weight_decay, s.gradient_scale, s.counters);
  }
  static auto fields(const NormOperands& o) { return std::tie(o.scale, o.shift, o.mean, o.variance); }
  static auto fields(const ImageSet& s) { return std::tie(s.bytes, s.labels, s.orders, s.table); }

  template <class T>
  static void describe(std::ostream& out, const T& value) {
    if constexpr (std::is_enum_v<T>)
      out << ' ' << static_cast<int>(value);
    else if constexpr (std::is_pointer_v<T>)
      out << ' ' << static_cast<const void*>(value);
    else if constexpr (std::is_class_v<T>)
      std::apply([&](const auto&... all) { (describe(out, all), ...); }, fields(value));
    else
      out << ' ' << value;
  }

  std::unique_ptr<Backend> traced_;
  bool captures_;
  CopyTime copies_;
  DeviceStreams streams_;
  Graph* capturing_ = nullptr;
};

}  // namespace crescendo::test
