// y = act((x - mean) / sqrt(variance + epsilon) * scale + shift + residual), statistics over each ghost batch
// and channel. Backward: with x^ the normalised x, m the elements a ghost has of a channel, and dy masked by
// the ReLU, which is also the residual's gradient,
//   dshift = sum dy, dscale = sum dy x^, dx = scale / sqrt(variance + epsilon) * (dy - dshift / m - x^ dscale
//   / m)
// (docs/derivations/ghost_batch_norm.md). Saved: x and the statistics; x^ is computed again, and so is the
// mask unless there is a residual: then y is saved.
#include "engine/ops/ghost_batch_norm.h"

#include "engine/ops/place.h"

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

void update_running(const Tape& tape, const BatchNormGeometry& g, Backend& kernels, const Moments& moments,
                    const NormStatistics& statistics, double momentum) {
  const auto& [mean, variance] = moments;
  if (tape.options().running_statistics == RunningStatistics::sequential)
    kernels.update_running_statistics(g, 1 - momentum, momentum, mean.as_reals(), variance.as_reals(),
                                      statistics.running_mean.as_reals(),
                                      statistics.running_variance.as_reals());
  else  // a plain sum, which the end of the update turns into one step
    kernels.update_running_statistics(g, 1, 1, mean.as_reals(), variance.as_reals(),
                                      statistics.pending_mean.as_reals(),
                                      statistics.pending_variance.as_reals());
}

}  // namespace

Moments take_moments(const Tape& tape, const BatchNormGeometry& g, const Tensor& x,
                     const NormStatistics& statistics, double momentum) {
  if (!tape.is_training()) return {statistics.running_mean, statistics.running_variance};
  const Device& device = x.device();
  Moments moments = x.moments();
  if (!moments.mean.defined()) {
    moments = {Tensor::reals(device, {g.ghosts(), g.c}), Tensor::reals(device, {g.ghosts(), g.c})};
    device.memory().reserve_workspace(device.kernels().workspace(g));
    device.kernels().ghost_moments(g, x.as_activations(), moments.mean.as_reals(),
                                   moments.variance.as_reals());
  }
  update_running(tape, g, device.kernels(), moments, statistics, momentum);
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
  dy.device().kernels().relu_backward(dy.size(), y.as_activations(), dy.as_activations(),
                                      masked.as_activations(), Write::overwrite);
  return masked;
}

}  // namespace

Tensor ghost_batch_norm(Tape& tape, const Tensor& x, const Tensor& scale, const Tensor& shift,
                        const NormStatistics& statistics, const BatchNormOptions& options,
                        const Tensor& residual, const Tensor& place) {
  BatchNormGeometry g = batch_norm_geometry(tape, x, scale, shift, options);
  if (residual.defined()) {
    require(residual.shape() == x.shape(), "ghost_batch_norm: residual ", residual.shape(), " for ",
            x.shape());
    require(!place.defined(), "ghost_batch_norm: a residual, and a place for the result");
  }
  const Device& device = x.device();
  Backend& kernels = device.kernels();
  const Moments moments = take_moments(tape, g, x, statistics, options.momentum);
  device.memory().reserve_workspace(kernels.workspace(g));
  const Tensor y = placed_result("ghost_batch_norm", device, x.shape(), place);
  g.y_channels = y.as_channels().pixel;
  kernels.normalise(g, x.as_activations(), norm_operands(scale, shift, moments),
                    residual.defined() ? residual.as_activations() : nullptr, y.as_channels().first);

  const bool masks = g.relu && residual.defined();
  if (masks) g.relu = false;  // the mask has been applied before the kernel of dx
  const Tensor mask = masks ? y : Tensor();
  const Tensor through = residual.defined() ? residual.without_memory() : Tensor();
  return tape.record("ghost_batch_norm", {x, scale, shift, residual}, y, [=](const Tensor& dy) {
    const Tensor masked = mask.defined() ? masked_by_relu(mask, dy) : Tensor();
    const Tensor& gradient = mask.defined() ? masked : dy;
    const auto [dx, write_dx] = input_slot(x);
    const auto [dscale, dshift, write_parameters] = norm_slots(scale, shift);
    const auto [first_dy, dy_pixel] = gradient.as_channels();
    BatchNormGeometry backward = g;
    backward.y_channels = dy_pixel;
    device.kernels().ghost_batch_norm_backward(
        backward, x.as_activations(), first_dy, norm_operands(scale, shift, moments), dx.as_activations(),
        write_dx, dscale.as_reals(), dshift.as_reals(), write_parameters);
    if (through.needs_gradient()) through.add_to_gradient(gradient);
  });
}

}  // namespace crescendo
