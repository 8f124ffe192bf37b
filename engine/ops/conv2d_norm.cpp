// y = act(norm(x * w) + residual). Training needs the statistics of x * w first: there it is two ops.
// Otherwise they are known, and the norm happens where the convolution writes; but a result that has a place,
// on a device that stores sums before it finishes them, comes there by a norm of its own.
#include "engine/ops/conv2d.h"
#include "engine/ops/ghost_batch_norm.h"
#include "engine/ops/place.h"

namespace crescendo {

Tensor conv2d_norm_result(const Tape& tape, const Device& device, const Conv2dGeometry& g,
                          const Tensor& residual, const Tensor& place) {
  const Shape shape{g.n, g.p, g.q, g.k};
  if (!place.defined()) return conv2d_result("conv2d_norm", tape, device, shape, residual);
  require(!residual.defined(), "conv2d_norm: a residual, and a place for the result");
  return placed_result("conv2d_norm", device, shape, place);
}

ConvolutionEpilogue norm_epilogue(const Tape& tape, const Tensor& y, const NormLayer& norm,
                                  const Tensor& residual) {
  const BatchNormGeometry n = batch_norm_geometry(tape, y, norm.scale, norm.shift, norm.options);
  const Moments moments{norm.statistics.running_mean, norm.statistics.running_variance};
  return {.norm = norm_operands(norm.scale, norm.shift, moments),
          .epsilon = n.epsilon,
          .residual = residual.defined() ? residual.as_activations() : nullptr,
          .relu = n.relu,
          .y_channels = y.as_channels().pixel};
}

// NOLINTBEGIN(performance-unnecessary-value-param): a residual that was handed over is held here alone
Tensor conv2d_norm(Tape& tape, const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
                   const NormLayer& norm, Tensor residual, const Tensor& place) {
  // NOLINTEND(performance-unnecessary-value-param)
  const Device& device = x.device();
  Backend& kernels = device.kernels();
  if (tape.is_training() || (place.defined() && !kernels.finishes_before_storing()))
    return ghost_batch_norm(tape, conv2d(tape, x, weight, options), norm.scale, norm.shift, norm.statistics,
                            norm.options, residual, place);
  const Conv2dGeometry g = conv2d_geometry(tape, x, weight, options);
  device.memory().reserve_workspace(kernels.workspace(g));
  const Tensor y = conv2d_norm_result(tape, device, g, residual, place);
  kernels.conv2d_forward(g, x.as_activations(), tape.weight(g, weight),
                         norm_epilogue(tape, y, norm, residual), y.as_channels().first);
  return tape.record("conv2d_norm", {x, weight, norm.scale, norm.shift, residual}, y, nullptr);
}

}  // namespace crescendo
