// y = conv2d(act(norm(x)), w) + residual in one kernel: the normalised x is computed where the convolution
// reads x, forward and again for dw, and never stored. Backward: the kernel of dx goes through the
// convolution and the norm; the residual's gradient is dy. Saved: x, its moments, and w. Where the device has
// no such kernel, the three ops one after another.
#include "engine/ops/conv2d.h"
#include "engine/ops/ghost_batch_norm.h"

namespace crescendo {

Tensor norm_conv2d(Tape& tape, const Tensor& x, const NormLayer& norm, const Tensor& weight,
                   const Conv2dOptions& options, const Tensor& residual) {
  const Conv2dGeometry g = conv2d_geometry(tape, x, weight, options);
  const Device& device = x.device();
  Backend& kernels = device.kernels();
  const Tensor &scale = norm.scale, &shift = norm.shift;
  if (!kernels.fuses_norm(g)) {
    const Tensor normalised = ghost_batch_norm(tape, x, scale, shift, norm.statistics, norm.options);
    const Tensor z = conv2d(tape, normalised, weight, options);
    return residual.defined() ? add(tape, residual, z) : z;
  }
  const BatchNormGeometry n = batch_norm_geometry(tape, x, scale, shift, norm.options);
  const Moments moments = take_moments(tape, n, x, norm.statistics, norm.options.momentum);
  device.memory().reserve_workspace(kernels.workspace(g, n));
  const Tensor y = Tensor::activations(device, {g.n, g.p, g.q, g.k});
  if (residual.defined())
    require(residual.shape() == y.shape(), "norm_conv2d: residual ", residual.shape(), " for ", y.shape());
  Moments of_y;
  if (tape.is_training())
    of_y = {Tensor::reals(device, {n.ghosts(), g.k}), Tensor::reals(device, {n.ghosts(), g.k})};
  kernels.norm_conv2d_forward(g, n, x.as_activations(), norm_operands(scale, shift, moments),
                              weight.as_activations(),
                              residual.defined() ? residual.as_activations() : nullptr, y.as_activations(),
                              of_y.mean.defined() ? of_y.mean.as_reals() : nullptr,
                              of_y.mean.defined() ? of_y.variance.as_reals() : nullptr);
  if (of_y.mean.defined()) y.set_moments(of_y);

  const Tensor through = residual.defined() ? residual.without_memory() : Tensor();
  return tape.record("norm_conv2d", {x, scale, shift, weight, residual}, y, [=](const Tensor& dy) {
    const NormOperands operands = norm_operands(scale, shift, moments);
    if (weight.needs_gradient()) {
      const auto [dw, write] = weight.gradient_slot();
      device.kernels().norm_conv2d_backward_weight(g, n, x.as_activations(), operands, dy.as_activations(),
                                                   dw.as_reals(), write);
    }
    const Tensor between = Tensor::activations(device, x.shape());
    const auto [dx, write_dx] = input_slot(x);
    const auto [dscale, dshift, write_parameters] = norm_slots(scale, shift);
    device.kernels().norm_conv2d_backward_data(g, n, x.as_activations(), operands, dy.as_activations(),
                                               weight.as_activations(), between.as_activations(),
                                               dx.as_activations(), write_dx, dscale.as_reals(),
                                               dshift.as_reals(), write_parameters);
    if (through.needs_gradient()) through.add_to_gradient(dy);
  });
}

}  // namespace crescendo
