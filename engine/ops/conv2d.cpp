// y = act(residual + factor * z), z = x * w + b (cross-correlation over rows, columns and input channels).
// Backward: dresidual = dy masked by the ReLU, dz = factor * dresidual, dx = dz * w with the filter turned
// round, dw = sum over positions of dz x, db = sum of dz. Saved: x and w, and y where there is a ReLU.
#include "engine/ops/conv2d.h"

namespace crescendo {
namespace {

int64_t out_size(const char* what, int64_t in, int64_t before, int64_t after, int64_t window,
                 int64_t stride) {
  require(before >= 0 && after >= 0, "conv2d: negative ", what, " padding (", before, ", ", after, ")");
  require(in + before + after >= window, "conv2d: ", what, " of ", in, " with padding (", before, ", ", after,
          ") is smaller than the filter's ", window);
  return (in + before + after - window) / stride + 1;
}

}  // namespace

Conv2dGeometry conv2d_geometry(const Tape& tape, const Tensor& x, const Tensor& weight,
                               const Conv2dOptions& options) {
  const Shape& in = x.shape();
  const Shape& filter = weight.shape();
  require(in.rank() == 4, "conv2d: x must be [n, h, w, c], got ", in);
  require(filter.rank() == 4, "conv2d: weight must be [out, r, s, in], got ", filter);
  require(filter[3] == in[3], "conv2d: weight has ", filter[3], " input channels but x has ", in[3]);
  require(options.stride_h >= 1 && options.stride_w >= 1, "conv2d: stride must be at least 1, got ",
          options.stride_h, " x ", options.stride_w);
  Conv2dGeometry g{};
  g.n = in[0], g.h = in[1], g.w = in[2], g.c = in[3];
  g.k = filter[0], g.r = filter[1], g.s = filter[2];
  g.stride_h = options.stride_h, g.stride_w = options.stride_w;
  g.pad_top = options.padding.top, g.pad_left = options.padding.left;
  g.p = out_size("height", g.h, options.padding.top, options.padding.bottom, g.r, g.stride_h);
  g.q = out_size("width", g.w, options.padding.left, options.padding.right, g.s, g.stride_w);
  g.ghost = tape.is_training() ? tape.ghost(g.n) : g.n;
  return g;
}

Tensor conv2d_result(const char* op, const Tape& tape, const Device& device, const Shape& shape,
                     const Tensor& residual) {
  if (residual.defined()) {
    require(residual.shape() == shape, op, ": residual ", residual.shape(), " for ", shape);
    if (!tape.is_training() && device.kernels().finishes_before_storing() && residual.is_sole_owner())
      return residual;
  }
  return Tensor::activations(device, shape);
}

namespace {

// The gradient of what a convolution joined with, and that of its own result.
struct JoinedGradients {
  Tensor sum, result;
};
JoinedGradients gradients_of(const ResidualSum& join, const Tensor& y, const Tensor& dy) {
  Tensor sum = dy;
  Backend& kernels = dy.device().kernels();
  if (join.relu) {
    sum = Tensor::activations(dy.device(), dy.shape());
    kernels.relu_backward(dy.size(), y.as_activations(), dy.as_activations(), sum.as_activations(),
                          Write::overwrite);
  }
  if (join.factor == 1) return {sum, sum};
  const Tensor result = Tensor::activations(dy.device(), dy.shape());
  kernels.scale(dy.size(), join.factor, sum.as_activations(), result.as_activations(), Write::overwrite);
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
  Backend& kernels = device.kernels();
  device.memory().reserve_workspace(kernels.workspace(g));
  const BiasGeometry bias_geometry{g.n, g.p * g.q, g.k, g.ghost};
  if (bias.defined()) device.memory().reserve_workspace(kernels.workspace(bias_geometry));

  const Tensor y = conv2d_result("conv2d", tape, device, {g.n, g.p, g.q, g.k}, join.residual);
  ConvolutionEpilogue epilogue{.factor = join.factor, .relu = join.relu};
  if (bias.defined()) epilogue.bias = bias.as_reals();
  if (join.residual.defined()) epilogue.residual = join.residual.as_activations();
  kernels.conv2d_forward(g, x.as_activations(), tape.weight(g, weight), epilogue, y.as_activations());

  const Tensor through = join.residual.defined() ? join.residual.without_memory() : Tensor();
  const ResidualSum how{.residual = {}, .factor = join.factor, .relu = join.relu};
  const Tensor mask = join.relu ? y : Tensor();
  return tape.record("conv2d", {x, weight, bias, join.residual}, y, [=](const Tensor& dy) {
    const auto [dsum, dz] = gradients_of(how, mask, dy);
    if (weight.needs_gradient()) {
      const auto [dw, write] = weight.gradient_slot();
      device.kernels().conv2d_backward_weight(g, x.as_activations(), dz.as_activations(), dw.as_reals(),
                                              write);
    }
    if (bias.needs_gradient()) {
      const auto [db, write] = bias.gradient_slot();
      device.kernels().bias_backward(bias_geometry, dz.as_activations(), db.as_reals(), write);
    }
    if (x.needs_gradient()) {
      const auto [dx, write] = x.gradient_slot();
      device.kernels().conv2d_backward_data(g, dz.as_activations(), weight.as_activations(),
                                            dx.as_activations(), write);
    }
    if (through.needs_gradient()) through.add_to_gradient(dsum);
  });
}

}  // namespace crescendo
