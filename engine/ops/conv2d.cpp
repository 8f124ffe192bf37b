// y = act(residual + factor * z), z = x * w + b (cross-correlation over rows, columns and input channels).
// Backward: dresidual = dy masked by the ReLU, dz = factor * dresidual, dx = dz * w with the filter turned
// round, dw = sum over positions of dz x, db = sum of dz. Saved: x and w, and y where there is a ReLU.
#include "engine/ops/conv2d.h"

#include "engine/ops/window.h"
#include "engine/packed_weights.h"

namespace crescendo {

Conv2dGeometry conv2d_geometry(const Tape& tape, const Tensor& x, const Tensor& weight,
                               const Conv2dOptions& options) {
  const Shape& in = x.shape();
  const Shape& filter = weight.shape();
  require(in.rank() == 4, "conv2d: x must be [n, h, w, c], got ", in);
  require(filter.rank() == 4, "conv2d: weight must be [out, r, s, in], got ", filter);
  require(filter[3] == in[3], "conv2d: weight has ", filter[3], " input channels but x has ", in[3]);
  Conv2dGeometry g{};
  g.n = in[0], g.h = in[1], g.w = in[2], g.c = in[3];
  g.k = filter[0], g.r = filter[1], g.s = filter[2];
  set_window_positions("conv2d", options, g);
  g.ghost = tape.is_training() ? tape.ghost(g.n) : g.n;
  return g;
}

ConvolutionWeight weight_for(const Tape& tape, const Conv2dGeometry& g, const Tensor& weight) {
  PackedWeights* packed = tape.options().packed_weights;
  return packed != nullptr ? packed->of(g, weight) : ConvolutionWeight{weight.as_activations()};
}

Tensor conv2d_result(const char* op, const Tape& tape, const Device& device, const Shape& shape,
                     const Tensor& residual) {
  if (residual.defined()) {
    require(residual.shape() == shape, op, ": residual ", residual.shape(), " for ", shape);
    const bool finishes_first = device.backend().capabilities().finishes_before_storing;
    if (!tape.is_training() && finishes_first && residual.is_sole_owner()) return residual;
  }
  return Tensor::activations(device, shape);
}

namespace {

// The gradient of the sum, which is the residual's, and the gradient of the convolution's own result.
struct JoinedGradients {
  Tensor sum, result;
};
JoinedGradients gradients_of(const ResidualSum& join, const Tensor& y, const Tensor& dy) {
  const Device& device = dy.device();
  Tensor sum = dy;
  if (join.relu) {
    sum = Tensor::activations(device, dy.shape());
    device.run(ReluBackward{.n = dy.size(),
                            .y = y.as_activations(),
                            .dy = dy.as_activations(),
                            .dx = sum.as_activations(),
                            .write = Write::overwrite});
  }
  if (join.factor == 1) return {sum, sum};
  const Tensor result = Tensor::activations(device, dy.shape());
  device.run(Scale{.n = dy.size(),
                   .factor = join.factor,
                   .x = sum.as_activations(),
                   .y = result.as_activations(),
                   .write = Write::overwrite});
  return {sum, result};
}

}  // namespace

// NOLINTBEGIN(performance-unnecessary-value-param): a residual that was handed over is held here alone
Tensor conv2d(Tape& tape, const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
              const Tensor& bias, ResidualSum join) {
  // NOLINTEND(performance-unnecessary-value-param)
  const Conv2dGeometry g = conv2d_geometry(tape, x, weight, options);
  if (bias.defined())
    require(bias.shape() == Shape{g.k}, "conv2d: bias ", bias.shape(), " for ", g.k, " channels");
  const Device& device = x.device();

  const Tensor y = conv2d_result("conv2d", tape, device, {g.n, g.p, g.q, g.k}, join.residual);
  ConvolutionEpilogue epilogue{.factor = join.factor, .relu = join.relu};
  if (bias.defined()) epilogue.bias = bias.as_reals();
  if (join.residual.defined()) epilogue.residual = join.residual.as_activations();
  device.run(Conv2dForward{.geometry = g,
                           .x = x.as_activations(),
                           .weight = weight_for(tape, g, weight),
                           .epilogue = epilogue,
                           .y = y.as_activations()});

  const Tensor through = join.residual.defined() ? join.residual.without_memory() : Tensor();
  const ResidualSum how{.residual = {}, .factor = join.factor, .relu = join.relu};
  const Tensor mask = join.relu ? y : Tensor();
  return tape.record("conv2d", {x, weight, bias, join.residual}, y, [=](const Tensor& dy) {
    const auto [dsum, dz] = gradients_of(how, mask, dy);
    if (weight.needs_gradient()) {
      const auto [dw, write] = weight.gradient_slot();
      device.run(Conv2dBackwardWeight{.geometry = g,
                                      .x = x.as_activations(),
                                      .dy = dz.as_activations(),
                                      .dweight = dw.as_reals(),
                                      .write = write,
                                      .ghost_stride = weight.ghost_stride()});
    }
    if (bias.needs_gradient()) {
      const auto [db, write] = bias.gradient_slot();
      device.run(BiasBackward{.geometry = {.n = g.n, .pixels = g.p * g.q, .c = g.k, .ghost = g.ghost},
                              .dy = dz.as_activations(),
                              .dbias = db.as_reals(),
                              .write = write,
                              .ghost_stride = bias.ghost_stride()});
    }
    if (x.needs_gradient()) {
      const auto [dx, write] = x.gradient_slot();
      device.run(Conv2dBackwardData{.geometry = g,
                                    .dy = dz.as_activations(),
                                    .weight = weight.as_activations(),
                                    .dx = dx.as_activations(),
                                    .write = write});
    }
    if (through.needs_gradient()) through.add_to_gradient(dsum);
  });
}

}  // namespace crescendo
