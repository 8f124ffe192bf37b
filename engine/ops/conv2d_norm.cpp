// y = act(norm(x * w) + residual). Training needs the statistics of x * w first: there it is two ops.
// Otherwise they are known, and the norm happens where the convolution writes.
#include "engine/ops/conv2d.h"
#include "engine/ops/ghost_batch_norm.h"

namespace crescendo {

// NOLINTBEGIN(performance-unnecessary-value-param): a residual that was handed over is held here alone
Tensor conv2d_norm(Tape& tape, const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
                   const NormLayer& norm, Tensor residual, const Tensor& place) {
  // NOLINTEND(performance-unnecessary-value-param)
  if (tape.is_training())
    return ghost_batch_norm(tape, conv2d(tape, x, weight, options), norm.scale, norm.shift, norm.statistics,
                            norm.options, residual);
  const Conv2dGeometry g = conv2d_geometry(tape, x, weight, options);
  const Device& device = x.device();
  Backend& kernels = device.kernels();
  device.memory().reserve_workspace(kernels.workspace(g));
  const Shape shape{g.n, g.p, g.q, g.k};
  require(!place.defined() || (place.shape() == shape && !residual.defined()), "conv2d_norm: a place of ",
          place.defined() ? place.shape() : Shape(), " for ", shape, ", which has ",
          residual.defined() ? "a" : "no", " residual");
  const Tensor y = place.defined() ? place : conv2d_result("conv2d_norm", tape, device, shape, residual);
  const BatchNormGeometry n = batch_norm_geometry(tape, y, norm.scale, norm.shift, norm.options);
  const Moments moments{norm.statistics.running_mean, norm.statistics.running_variance};
  ConvolutionEpilogue epilogue{
      .norm = norm_operands(norm.scale, norm.shift, moments), .epsilon = n.epsilon, .relu = n.relu};
  if (residual.defined()) epilogue.residual = residual.as_activations();
  epilogue.y_channels = y.as_channels().pixel;
  kernels.conv2d_forward(g, x.as_activations(), tape.weight(g, weight), epilogue, y.as_channels().first);
  return tape.record("conv2d_norm", {x, weight, norm.scale, norm.shift, residual}, y, nullptr);
}

}  // namespace crescendo
