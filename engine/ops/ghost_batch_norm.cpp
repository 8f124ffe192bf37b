// y = act((x - mean) / sqrt(variance + epsilon) * scale + shift + residual), with the mean and the variance
// of each ghost batch and channel. Backward, with x^ the normalised x, m the number of elements of a channel
// in a ghost batch, and dy masked by the ReLU:
//   dshift = sum dy, dscale = sum dy x^,
//   dx = scale / sqrt(variance + epsilon) * (dy - dshift / m - x^ dscale / m), dresidual = dy
// (docs/derivations/ghost_batch_norm.md). Saved: x and the statistics. x^ is computed again, and so is the
// mask, unless there is a residual: then y is saved.
#include "engine/ops/ghost_batch_norm.h"

#include "engine/ops/destination.h"

namespace crescendo {

BatchNormGeometry batch_norm_geometry(const Tape& tape, const Tensor& x, const Tensor& scale,
                                      const Tensor& shift, const BatchNormOptions& options) {
  const Shape& in = x.shape();
  require(in.rank() == 4 || in.rank() == 2, "ghost_batch_norm: x must be [n, h, w, c] or [n, c], got ", in);
  const int64_t channels = in[in.rank() - 1];
  require(scale.shape() == Shape{channels} && shift.shape() == Shape{channels}, "ghost_batch_norm: scale ",
          scale.shape(), " and shift ", shift.shape(), " for ", channels, " channels");
  require(options.epsilon > 0, "ghost_batch_norm: epsilon must be positive, got ", options.epsilon);
  const int64_t ghost = tape.is_training() ? tape.ghost(in[0]) : in[0];
  return {in[0], in.rank() == 4 ? in[1] * in[2] : 1, channels, ghost, options.epsilon, options.relu};
}

namespace {

// Updates the running statistics. With exact sums or RunningStatistics::mean_of_ghosts, adds to the pending
// sums instead, from which the end of the update makes one step.
void update_running(const Tape& tape, const BatchNormGeometry& g, const Moments& moments,
                    const NormStatistics& statistics, double momentum) {
  const bool sequential = tape.options().running_statistics == RunningStatistics::sequential;
  if (statistics.pending_mean.defined() && statistics.pending_mean.element() == Element::sum) {
    statistics.pending_mean.device().run(AddStatistics{.geometry = g,
                                                       .momentum = momentum,
                                                       .mean_of_ghosts = !sequential,
                                                       .mean = moments.mean.as_reals(),
                                                       .variance = moments.variance.as_reals(),
                                                       .mean_sums = statistics.pending_mean.as_sums(),
                                                       .variance_sums = statistics.pending_variance.as_sums(),
                                                       .counters = tape.options().counters,
                                                       .counts = tape.options().counts});
    return;
  }
  const Tensor& mean = sequential ? statistics.running_mean : statistics.pending_mean;
  const Tensor& variance = sequential ? statistics.running_variance : statistics.pending_variance;
  mean.device().run(UpdateRunningStatistics{.geometry = g,
                                            .keep = sequential ? 1 - momentum : 1,
                                            .weight = sequential ? momentum : 1,
                                            .mean = moments.mean.as_reals(),
                                            .variance = moments.variance.as_reals(),
                                            .running_mean = mean.as_reals(),
                                            .running_variance = variance.as_reals()});
}

}  // namespace

Moments take_moments(const Tape& tape, const BatchNormGeometry& g, const TensorWithMoments& x,
                     const NormStatistics& statistics, double momentum) {
  if (!tape.is_training()) return {statistics.running_mean, statistics.running_variance};
  const Device& device = x.tensor.device();
  Moments moments = x.moments;
  if (!moments.mean.defined()) {
    moments = {Tensor::reals(device, {g.ghosts(), g.c}), Tensor::reals(device, {g.ghosts(), g.c})};
    device.run(GhostMoments{.geometry = g,
                            .x = x.tensor.as_activations(),
                            .mean = moments.mean.as_reals(),
                            .variance = moments.variance.as_reals()});
  }
  update_running(tape, g, moments, statistics, momentum);
  return moments;
}

NormOperands norm_operands(const Tensor& scale, const Tensor& shift, const Moments& moments) {
  return {scale.as_reals(), shift.as_reals(), moments.mean.as_reals(), moments.variance.as_reals()};
}

NormSlots norm_slots(const Tensor& scale, const Tensor& shift) {
  const auto [dscale, write] = scale.gradient_slot();
  const auto [dshift, same_write] = shift.gradient_slot();
  require(same_write == write, "ghost_batch_norm: scale and shift are used apart");
  return {dscale, dshift, write};
}

GradientSlot input_slot(const Tensor& x) {
  if (x.needs_gradient()) return x.gradient_slot();
  return {Tensor::activations(x.device(), x.shape()), Write::overwrite};
}

namespace {

Tensor masked_by_relu(const Tensor& y, const Tensor& dy) {
  Tensor masked = Tensor::activations(dy.device(), dy.shape());
  dy.device().run(ReluBackward{.n = dy.size(),
                               .y = y.as_activations(),
                               .dy = dy.as_activations(),
                               .dx = masked.as_activations(),
                               .write = Write::overwrite});
  return masked;
}

}  // namespace

Tensor ghost_batch_norm(Tape& tape, const TensorWithMoments& x, const Tensor& scale, const Tensor& shift,
                        const NormStatistics& statistics, const BatchNormOptions& options,
                        const Tensor& residual, const Tensor& destination) {
  const Tensor& in = x.tensor;
  BatchNormGeometry g = batch_norm_geometry(tape, in, scale, shift, options);
  if (residual.defined()) {
    require(residual.shape() == in.shape(), "ghost_batch_norm: residual ", residual.shape(), " for ",
            in.shape());
    require(!destination.defined(), "ghost_batch_norm: both a residual and a destination");
  }
  const Device& device = in.device();
  const Moments moments = take_moments(tape, g, x, statistics, options.momentum);
  const Tensor y = result_tensor("ghost_batch_norm", device, in.shape(), destination);
  g.y_channels = y.as_channels().pixel;
  device.run(Normalise{.geometry = g,
                       .x = in.as_activations(),
                       .norm = norm_operands(scale, shift, moments),
                       .residual = residual.defined() ? residual.as_activations() : nullptr,
                       .y = y.as_channels().first});

  const bool masks = g.relu && residual.defined();
  if (masks) g.relu = false;  // the mask has been applied before the kernel of dx
  const Tensor mask = masks ? y : Tensor();
  const Tensor through = residual.defined() ? residual.without_memory() : Tensor();
  return tape.record("ghost_batch_norm", {in, scale, shift, residual}, y, [=, in = in](const Tensor& dy) {
    const Tensor masked = mask.defined() ? masked_by_relu(mask, dy) : Tensor();
    const Tensor& gradient = mask.defined() ? masked : dy;
    const auto [dx, write_dx] = input_slot(in);
    const auto [dscale, dshift, write_parameters] = norm_slots(scale, shift);
    const auto [first_dy, dy_pixel] = gradient.as_channels();
    BatchNormGeometry backward = g;
    backward.y_channels = dy_pixel;
    device.run(GhostBatchNormBackward{.geometry = backward,
                                      .x = in.as_activations(),
                                      .dy = first_dy,
                                      .norm = norm_operands(scale, shift, moments),
                                      .dx = dx.as_activations(),
                                      .write_dx = write_dx,
                                      .dscale = dscale.as_reals(),
                                      .dshift = dshift.as_reals(),
                                      .write_parameters = write_parameters,
                                      .dscale_stride = scale.ghost_stride(),
                                      .dshift_stride = shift.ghost_stride()});
    if (through.needs_gradient()) through.add_to_gradient(gradient);
  });
}

}  // namespace crescendo
