// y = act(norm(x * w) + residual). Training needs the statistics of x * w first, so there it is two ops.
// Otherwise the statistics are known, and the convolution applies the norm where it writes. A device that
// stores sums before it finishes them takes two ops as well to write to a destination.
#include "engine/ops/conv2d.h"
#include "engine/ops/destination.h"
#include "engine/ops/ghost_batch_norm.h"

namespace crescendo {

Tensor conv2d_norm_result(const Tape& tape, const Device& device, const Conv2dGeometry& g,
                          const Tensor& residual, const Tensor& destination) {
  const Shape shape{g.n, g.p, g.q, g.k};
  if (!destination.defined()) return conv2d_result("conv2d_norm", tape, device, shape, residual);
  require(!residual.defined(), "conv2d_norm: both a residual and a destination");
  return result_tensor("conv2d_norm", device, shape, destination);
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
                   const NormLayer& norm, Tensor residual, const Tensor& destination) {
  // NOLINTEND(performance-unnecessary-value-param)
  const Device& device = x.device();
  const bool finishes_first = device.backend().capabilities().finishes_before_storing;
  if (tape.is_training() || (destination.defined() && !finishes_first))
    return ghost_batch_norm(tape, conv2d(tape, x, weight, options), norm.scale, norm.shift, norm.statistics,
                            norm.options, residual, destination);
  const Conv2dGeometry g = conv2d_geometry(tape, x, weight, options);
  const Tensor y = conv2d_norm_result(tape, device, g, residual, destination);
  device.run(Conv2dForward{.geometry = g,
                           .x = x.as_activations(),
                           .weight = weight_for(tape, g, weight),
                           .epilogue = norm_epilogue(tape, y, norm, residual),
                           .y = y.as_channels().first});
  return tape.record("conv2d_norm", {x, weight, norm.scale, norm.shift, residual}, y, nullptr);
}

}  // namespace crescendo
