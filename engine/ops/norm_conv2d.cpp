// y = conv2d(act(norm(x)), w) + residual in one kernel: the normalised x is computed where the convolution
// reads x, forward and again for dw, and never stored. Backward: the kernel of dx goes through the
// convolution and the norm; the residual's gradient is dy. Saved: x, its moments, and w. Where the device has
// no such kernel, the three ops run one after another.
#include "engine/ops/conv2d.h"
#include "engine/ops/ghost_batch_norm.h"

namespace crescendo {

TensorWithMoments norm_conv2d(Tape& tape, const TensorWithMoments& x, const NormLayer& norm,
                              const Tensor& weight, const Conv2dOptions& options, const Tensor& residual) {
  const Tensor& in = x.tensor;
  const Conv2dGeometry g = conv2d_geometry(tape, in, weight, options);
  const Device& device = in.device();
  const Tensor &scale = norm.scale, &shift = norm.shift;
  if (!device.backend().fuses_norm(g)) {
    const Tensor normalised = ghost_batch_norm(tape, x, scale, shift, norm.statistics, norm.options);
    const Tensor z = conv2d(tape, normalised, weight, options);
    return residual.defined() ? add(tape, residual, z) : z;
  }
  const BatchNormGeometry n = batch_norm_geometry(tape, in, scale, shift, norm.options);
  const Moments moments = take_moments(tape, n, x, norm.statistics, norm.options.momentum);
  const Tensor y = Tensor::activations(device, {g.n, g.p, g.q, g.k});
  if (residual.defined())
    require(residual.shape() == y.shape(), "norm_conv2d: residual ", residual.shape(), " for ", y.shape());
  Moments of_y;
  if (tape.is_training())
    of_y = {Tensor::reals(device, {n.ghosts(), g.k}), Tensor::reals(device, {n.ghosts(), g.k})};
  device.run(NormConv2dForward{.geometry = g,
                               .norm_geometry = n,
                               .x = in.as_activations(),
                               .norm = norm_operands(scale, shift, moments),
                               .weight = weight.as_activations(),
                               .residual = residual.defined() ? residual.as_activations() : nullptr,
                               .y = y.as_activations(),
                               .y_mean = of_y.mean.defined() ? of_y.mean.as_reals() : nullptr,
                               .y_variance = of_y.mean.defined() ? of_y.variance.as_reals() : nullptr});

  const Tensor through = residual.defined() ? residual.without_memory() : Tensor();
  const auto backward = [=, in = in, scale = scale, shift = shift](const Tensor& dy) {
    const NormOperands operands = norm_operands(scale, shift, moments);
    if (weight.needs_gradient()) {
      const auto [dw, write] = weight.gradient_slot();
      device.run(NormConv2dBackwardWeight{.geometry = g,
                                          .norm_geometry = n,
                                          .x = in.as_activations(),
                                          .norm = operands,
                                          .dy = dy.as_activations(),
                                          .dweight = dw.as_reals(),
                                          .write = write,
                                          .ghost_stride = weight.ghost_stride()});
    }
    const Tensor between = Tensor::activations(device, in.shape());
    const auto [dx, write_dx] = input_slot(in);
    const auto [dscale, dshift, write_parameters] = norm_slots(scale, shift);
    device.run(NormConv2dBackwardData{.geometry = g,
                                      .norm_geometry = n,
                                      .x = in.as_activations(),
                                      .norm = operands,
                                      .dy = dy.as_activations(),
                                      .weight = weight.as_activations(),
                                      .between = between.as_activations(),
                                      .dx = dx.as_activations(),
                                      .write_dx = write_dx,
                                      .dscale = dscale.as_reals(),
                                      .dshift = dshift.as_reals(),
                                      .write_parameters = write_parameters,
                                      .dscale_stride = scale.ghost_stride(),
                                      .dshift_stride = shift.ghost_stride()});
    if (through.needs_gradient()) through.add_to_gradient(dy);
  };
  return {tape.record("norm_conv2d", {in, scale, shift, weight, residual}, y, backward), of_y};
}

}  // namespace crescendo
