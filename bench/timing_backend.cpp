#include "timing_backend.h"

#include "program.h"

namespace crescendo::bench {

namespace {

// Siblings as one convolution.
template <class Sibling>
Conv2dGeometry as_one(std::span<const Sibling> siblings) {
  Conv2dGeometry all = siblings[0].geometry;
  all.k = 0;
  for (const Sibling& sibling : siblings) all.k += sibling.geometry.k;
  return all;
}

}  // namespace

template <class Geometry, class Call>
void TimingBackend::time(const char* kernel, const Geometry& geometry, const Work& work, const Call& call) {
  const Stopwatch watch;
  call();
  const double seconds = watch.seconds();
  KernelTime& time = times_[{kernel, text_of(geometry)}];
  ++time.calls;
  time.seconds += seconds;
  time.multiply_adds += work.multiply_adds;
  time.bytes += work.bytes(timed_->activation_bytes());
}

void TimingBackend::upload_activations(int64_t n, const float* host, activation* to) {
  time("upload_activations", n, work_of_transfer(n), [&] { timed_->upload_activations(n, host, to); });
}
void TimingBackend::download_activations(int64_t n, const activation* from, real* host) {
  time("download_activations", n, work_of_transfer(n), [&] { timed_->download_activations(n, from, host); });
}
void TimingBackend::pack_weight(const Conv2dGeometry& g, const activation* weight, real* packed) {
  const Work work{.activations = static_cast<double>(g.k * g.r * g.s * g.c),
                  .reals = static_cast<double>(packed_weight_size(g))};
  time("pack_weight", g, work, [&] { timed_->pack_weight(g, weight, packed); });
}
void TimingBackend::conv2d_forward(const Conv2dGeometry& g, const activation* x,
                                   const ConvolutionWeight& weight, const ConvolutionEpilogue& epilogue,
                                   activation* y) {
  time("conv2d_forward", g, work_of(g), [&] { timed_->conv2d_forward(g, x, weight, epilogue, y); });
}
void TimingBackend::conv2d_backward_data(const Conv2dGeometry& g, const activation* dy,
                                         const activation* weight, activation* dx, Write write) {
  time("conv2d_backward_data", g, work_of(g),
       [&] { timed_->conv2d_backward_data(g, dy, weight, dx, write); });
}
void TimingBackend::sibling_conv2d_forward(const activation* x,
                                           std::span<const SiblingConvolution> siblings) {
  const Conv2dGeometry all = as_one(siblings);
  time("sibling_conv2d_forward", all, work_of(all), [&] { timed_->sibling_conv2d_forward(x, siblings); });
}
void TimingBackend::sibling_conv2d_backward_data(std::span<const SiblingGradient> siblings, activation* dx,
                                                 Write write) {
  const Conv2dGeometry all = as_one(siblings);
  time("sibling_conv2d_backward_data", all, work_of(all),
       [&] { timed_->sibling_conv2d_backward_data(siblings, dx, write); });
}
void TimingBackend::conv2d_backward_weight(const Conv2dGeometry& g, const activation* x, const activation* dy,
                                           real* dweight, Write write) {
  time("conv2d_backward_weight", g, work_of_weight_pass(g),
       [&] { timed_->conv2d_backward_weight(g, x, dy, dweight, write); });
}
void TimingBackend::linear_forward(const LinearGeometry& g, const activation* x, const activation* weight,
                                   const real* bias, activation* y) {
  time("linear_forward", g, work_of(g), [&] { timed_->linear_forward(g, x, weight, bias, y); });
}
void TimingBackend::linear_backward_data(const LinearGeometry& g, const activation* dy,
                                         const activation* weight, activation* dx, Write write) {
  time("linear_backward_data", g, work_of(g),
       [&] { timed_->linear_backward_data(g, dy, weight, dx, write); });
}
void TimingBackend::linear_backward_weight(const LinearGeometry& g, const activation* x, const activation* dy,
                                           real* dweight, Write write) {
  time("linear_backward_weight", g, work_of_weight_pass(g),
       [&] { timed_->linear_backward_weight(g, x, dy, dweight, write); });
}
void TimingBackend::bias_backward(const BiasGeometry& g, const activation* dy, real* dbias, Write write) {
  time("bias_backward", g, work_of(g), [&] { timed_->bias_backward(g, dy, dbias, write); });
}
void TimingBackend::norm_conv2d_forward(const Conv2dGeometry& g, const BatchNormGeometry& norm,
                                        const activation* x, const NormOperands& operands,
                                        const activation* weight, const activation* residual, activation* y,
                                        real* y_mean, real* y_variance) {
  time("norm_conv2d_forward", g, work_of(g),
       [&] { timed_->norm_conv2d_forward(g, norm, x, operands, weight, residual, y, y_mean, y_variance); });
}
void TimingBackend::norm_conv2d_backward_weight(const Conv2dGeometry& g, const BatchNormGeometry& norm,
                                                const activation* x, const NormOperands& operands,
                                                const activation* dy, real* dweight, Write write) {
  time("norm_conv2d_backward_weight", g, work_of_weight_pass(g),
       [&] { timed_->norm_conv2d_backward_weight(g, norm, x, operands, dy, dweight, write); });
}
void TimingBackend::norm_conv2d_backward_data(const Conv2dGeometry& g, const BatchNormGeometry& norm,
                                              const activation* x, const NormOperands& operands,
                                              const activation* dy, const activation* weight,
                                              activation* between, activation* dx, Write write_dx,
                                              real* dscale, real* dshift, Write write_parameters) {
  time("norm_conv2d_backward_data", g, work_of(g), [&] {
    timed_->norm_conv2d_backward_data(g, norm, x, operands, dy, weight, between, dx, write_dx, dscale, dshift,
                                      write_parameters);
  });
}
void TimingBackend::ghost_moments(const BatchNormGeometry& g, const activation* x, real* mean,
                                  real* variance) {
  time("ghost_moments", g, work_of(g, 1), [&] { timed_->ghost_moments(g, x, mean, variance); });
}
void TimingBackend::normalise(const BatchNormGeometry& g, const activation* x, const NormOperands& norm,
                              const activation* residual, activation* y) {
  time("normalise", g, work_of(g, residual == nullptr ? 2 : 3),
       [&] { timed_->normalise(g, x, norm, residual, y); });
}
void TimingBackend::ghost_batch_norm_backward(const BatchNormGeometry& g, const activation* x,
                                              const activation* dy, const NormOperands& norm, activation* dx,
                                              Write write_dx, real* dscale, real* dshift,
                                              Write write_parameters) {
  time("ghost_batch_norm_backward", g, work_of(g, 3), [&] {
    timed_->ghost_batch_norm_backward(g, x, dy, norm, dx, write_dx, dscale, dshift, write_parameters);
  });
}
void TimingBackend::update_running_statistics(const BatchNormGeometry& g, double keep, double weight,
                                              const real* mean, const real* variance, real* running_mean,
                                              real* running_variance) {
  time("update_running_statistics", g, streaming_reals(2 * (g.ghosts() + 1) * g.c, 1), [&] {
    timed_->update_running_statistics(g, keep, weight, mean, variance, running_mean, running_variance);
  });
}
void TimingBackend::max_pool2d_forward(const Pool2dGeometry& g, const activation* x, activation* y,
                                       int32_t* winners) {
  time("max_pool2d_forward", g, work_of(g, true), [&] { timed_->max_pool2d_forward(g, x, y, winners); });
}
void TimingBackend::max_pool2d_backward(const Pool2dGeometry& g, const activation* dy, const int32_t* winners,
                                        activation* dx, Write write) {
  time("max_pool2d_backward", g, work_of(g, true),
       [&] { timed_->max_pool2d_backward(g, dy, winners, dx, write); });
}
void TimingBackend::average_pool2d_forward(const Pool2dGeometry& g, const activation* x, activation* y) {
  time("average_pool2d_forward", g, work_of(g, false), [&] { timed_->average_pool2d_forward(g, x, y); });
}
void TimingBackend::average_pool2d_backward(const Pool2dGeometry& g, const activation* dy, activation* dx,
                                            Write write) {
  time("average_pool2d_backward", g, work_of(g, false),
       [&] { timed_->average_pool2d_backward(g, dy, dx, write); });
}
void TimingBackend::relu_forward(int64_t n, const activation* x, activation* y) {
  time("relu_forward", n, streaming(n, 2), [&] { timed_->relu_forward(n, x, y); });
}
void TimingBackend::relu_backward(int64_t n, const activation* y, const activation* dy, activation* dx,
                                  Write write) {
  time("relu_backward", n, streaming(n, 3), [&] { timed_->relu_backward(n, y, dy, dx, write); });
}
void TimingBackend::scale_add(int64_t n, const activation* a, double factor, const activation* b,
                              activation* y) {
  time("scale_add", n, streaming(n, 3), [&] { timed_->scale_add(n, a, factor, b, y); });
}
void TimingBackend::scale(int64_t n, double factor, const activation* dy, activation* dx, Write write) {
  time("scale", n, streaming(n, 2), [&] { timed_->scale(n, factor, dy, dx, write); });
}
void TimingBackend::dropout(const DropoutGeometry& g, const StepCounters* counters, const activation* x,
                            activation* y, Write write) {
  time("dropout", g.n * g.elements, streaming(g.n * g.elements, 2),
       [&] { timed_->dropout(g, counters, x, y, write); });
}
void TimingBackend::copy_channels(const ChannelSlice& g, const activation* from, activation* to,
                                  Write write) {
  time("copy_channels", g, streaming(g.rows * g.count, 2),
       [&] { timed_->copy_channels(g, from, to, write); });
}
void TimingBackend::softmax_cross_entropy_forward(const CrossEntropyGeometry& g, const activation* logits,
                                                  const int32_t* labels, real* losses, int32_t* correct) {
  time("softmax_cross_entropy_forward", g, work_of(g, 1),
       [&] { timed_->softmax_cross_entropy_forward(g, logits, labels, losses, correct); });
}
void TimingBackend::softmax_cross_entropy_backward(const CrossEntropyGeometry& g, const activation* logits,
                                                   const int32_t* labels, const real* dlosses,
                                                   activation* dlogits, Write write) {
  time("softmax_cross_entropy_backward", g, work_of(g, 2),
       [&] { timed_->softmax_cross_entropy_backward(g, logits, labels, dlosses, dlogits, write); });
}
void TimingBackend::fill(int64_t n, double value, real* to) {
  time("fill", n, streaming_reals(n, 1), [&] { timed_->fill(n, value, to); });
}
void TimingBackend::fill_activations(int64_t n, double value, activation* to) {
  time("fill_activations", n, streaming(n, 1), [&] { timed_->fill_activations(n, value, to); });
}
void TimingBackend::blend(int64_t n, double keep, double weight, const real* from, real* to) {
  time("blend", n, streaming_reals(n, 3), [&] { timed_->blend(n, keep, weight, from, to); });
}
void TimingBackend::sum_of_squares(int64_t n, const real* x, double* result, Write write) {
  time("sum_of_squares", n, streaming_reals(n, 1), [&] { timed_->sum_of_squares(n, x, result, write); });
}
void TimingBackend::gather_images(const ImageGather& g, const StepCounters* counters, const ImageSet& set,
                                  activation* images, int32_t* labels) {
  const int64_t n = g.n * g.h * g.w * 3;
  time("gather_images", n, streaming(n, 2), [&] { timed_->gather_images(g, counters, set, images, labels); });
}
void TimingBackend::convert_samples(int64_t n, int64_t elements, const float* images, const int32_t* labels,
                                    activation* to_images, int32_t* to_labels) {
  time("convert_samples", n * elements, work_of_transfer(n * elements),
       [&] { timed_->convert_samples(n, elements, images, labels, to_images, to_labels); });
}
void TimingBackend::count_samples(const SampleCount& g, const real* losses, const int32_t* correct,
                                  StepCounters* counters) {
  time("count_samples", g.n, streaming(g.n, 2), [&] { timed_->count_samples(g, losses, correct, counters); });
}
void TimingBackend::check_finite(int64_t n, const real* gradients, StepCounters* counters) {
  time("check_finite", n, streaming_reals(n, 1), [&] { timed_->check_finite(n, gradients, counters); });
}
void TimingBackend::sgd(const OptimizerStep& g, const real* gradients, real* values, activation* copy) {
  time("sgd", g.n, work_of_update(g.n, 3), [&] { timed_->sgd(g, gradients, values, copy); });
}
void TimingBackend::momentum(const MomentumStep& g, const real* gradients, real* values, real* velocity,
                             activation* copy) {
  time("momentum", g.n, work_of_update(g.n, 5),
       [&] { timed_->momentum(g, gradients, values, velocity, copy); });
}
void TimingBackend::adam(const AdamStep& g, const real* gradients, real* values, real* first, real* second,
                         activation* copy) {
  time("adam", g.n, work_of_update(g.n, 7), [&] { timed_->adam(g, gradients, values, first, second, copy); });
}

}  // namespace crescendo::bench
