// y = x * w + b (cross-correlation over rows, columns and input channels).
// Backward: dx = dy * w with the filter turned round, dw = sum over positions of dy x, db = sum of dy; the
// first two are kernels of their own. Saved: x and w.
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

Tensor conv2d(Tape& tape, const Tensor& x, const Tensor& weight, const Conv2dOptions& options,
              const Tensor& bias) {
  const Conv2dGeometry g = conv2d_geometry(tape, x, weight, options);
  if (bias.defined())
    require(bias.shape() == Shape{g.k}, "conv2d: bias ", bias.shape(), " for ", g.k, " channels");
  const Device& device = x.device();
  Backend& kernels = device.kernels();
  device.memory().reserve_workspace(kernels.workspace(g));
  const BiasGeometry bias_geometry{g.n, g.p * g.q, g.k, g.ghost};
  if (bias.defined()) device.memory().reserve_workspace(kernels.workspace(bias_geometry));

  const Tensor y = Tensor::activations(device, {g.n, g.p, g.q, g.k});
  kernels.conv2d_forward(g, x.as_activations(), weight.as_activations(),
                         bias.defined() ? bias.as_reals() : nullptr, y.as_activations());

  return tape.record("conv2d", {x, weight, bias}, y, [=](const Tensor& dy) {
    if (weight.needs_gradient()) {
      const auto [dw, write] = weight.gradient_slot();
      device.kernels().conv2d_backward_weight(g, x.as_activations(), dy.as_activations(), dw.as_reals(),
                                              write);
    }
    if (bias.needs_gradient()) {
      const auto [db, write] = bias.gradient_slot();
      device.kernels().bias_backward(bias_geometry, dy.as_activations(), db.as_reals(), write);
    }
    if (x.needs_gradient()) {
      const auto [dx, write] = x.gradient_slot();
      device.kernels().conv2d_backward_data(g, dy.as_activations(), weight.as_activations(),
                                            dx.as_activations(), write);
    }
  });
}

}  // namespace crescendo
