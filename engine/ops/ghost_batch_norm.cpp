// y = act((x - mean) / sqrt(variance + epsilon) * scale + shift), statistics over each ghost batch and
// channel. Backward: with x^ the normalised x, m the elements a ghost has of a channel, and dy masked by the
// ReLU,
//   dshift = sum dy, dscale = sum dy x^, dx = scale / sqrt(variance + epsilon) * (dy - dshift / m - x^ dscale
//   / m)
// (docs/derivations/ghost_batch_norm.md). Saved: x and the statistics; x^ and the mask are computed again.
#include "engine/ops.h"

namespace crescendo {
namespace {

BatchNormGeometry geometry_of(const Tape& tape, const Tensor& x, const Tensor& scale, const Tensor& shift,
                              const BatchNormOptions& options) {
  const Shape& in = x.shape();
  require(in.rank() == 4 || in.rank() == 2, "ghost_batch_norm: x must be [n, h, w, c] or [n, c], got ", in);
  const int64_t channels = in[in.rank() - 1];
  require(scale.shape() == Shape{channels} && shift.shape() == Shape{channels}, "ghost_batch_norm: scale ",
          scale.shape(), " and shift ", shift.shape(), " for ", channels, " channels");
  require(options.epsilon > 0, "ghost_batch_norm: epsilon must be positive, got ", options.epsilon);
  const int64_t ghost = tape.is_training() ? tape.ghost(in[0]) : in[0];
  return {in[0], in.rank() == 4 ? in[1] * in[2] : 1, channels, ghost, options.epsilon, options.relu};
}

void update_running(const Tape& tape, const BatchNormGeometry& g, Backend& kernels, const Tensor& mean,
                    const Tensor& variance, const NormStatistics& statistics, double momentum) {
  if (tape.options().running_statistics == RunningStatistics::sequential)
    kernels.update_running_statistics(g, 1 - momentum, momentum, mean.as_reals(), variance.as_reals(),
                                      statistics.running_mean.as_reals(),
                                      statistics.running_variance.as_reals());
  else  // a plain sum, which the end of the update turns into one step
    kernels.update_running_statistics(g, 1, 1, mean.as_reals(), variance.as_reals(),
                                      statistics.pending_mean.as_reals(),
                                      statistics.pending_variance.as_reals());
}

// The kernel computes dx in any case: for an input that needs none, into memory that goes at once.
GradientSlot input_slot(const Tensor& x) {
  if (x.needs_gradient()) return x.gradient_slot();
  return {Tensor::activations(x.device(), x.shape()), Write::overwrite};
}

}  // namespace

Tensor ghost_batch_norm(Tape& tape, const Tensor& x, const Tensor& scale, const Tensor& shift,
                        const NormStatistics& statistics, const BatchNormOptions& options) {
  const BatchNormGeometry g = geometry_of(tape, x, scale, shift, options);
  const Device& device = x.device();
  Backend& kernels = device.kernels();
  device.memory().reserve_workspace(kernels.workspace(g));
  const Tensor y = Tensor::activations(device, x.shape());
  if (!tape.is_training()) {
    kernels.batch_norm_inference(g, x.as_activations(), scale.as_reals(), shift.as_reals(),
                                 statistics.running_mean.as_reals(), statistics.running_variance.as_reals(),
                                 y.as_activations());
    return tape.record("ghost_batch_norm", {x, scale, shift}, y, nullptr);
  }
  const Tensor mean = Tensor::reals(device, {g.ghosts(), g.c});
  const Tensor variance = Tensor::reals(device, {g.ghosts(), g.c});
  kernels.ghost_batch_norm_forward(g, x.as_activations(), scale.as_reals(), shift.as_reals(), mean.as_reals(),
                                   variance.as_reals(), y.as_activations());
  update_running(tape, g, kernels, mean, variance, statistics, options.momentum);

  return tape.record("ghost_batch_norm", {x, scale, shift}, y, [=](const Tensor& dy) {
    const auto [dx, write_dx] = input_slot(x);
    const auto [dscale, write_parameters] = scale.gradient_slot();
    const auto [dshift, same_write] = shift.gradient_slot();
    require(same_write == write_parameters, "ghost_batch_norm: scale and shift are used apart");
    device.kernels().ghost_batch_norm_backward(g, x.as_activations(), dy.as_activations(), scale.as_reals(),
                                               shift.as_reals(), mean.as_reals(), variance.as_reals(),
                                               dx.as_activations(), write_dx, dscale.as_reals(),
                                               dshift.as_reals(), write_parameters);
  });
}

}  // namespace crescendo
