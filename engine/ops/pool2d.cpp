// y = the maximum, or the average, over windows of pixels. Backward: dy goes to the winning pixel (the first
// of equals), or in equal shares to all pixels of the window. Saved: the winners' places; nothing.
#include "engine/ops/place.h"

namespace crescendo {
namespace {

int64_t out_size(const char* op, const char* what, int64_t in, int64_t before, int64_t after, int64_t window,
                 int64_t stride) {
  require(window >= 1 && stride >= 1, op, ": window and stride must be at least 1, got ", window, " and ",
          stride);
  require(before >= 0 && after >= 0 && before < window && after < window, op, ": ", what, " padding (",
          before, ", ", after, ") must lie in [0, window = ", window, "), or a window could be all padding");
  require(in + before + after >= window, op, ": ", what, " of ", in, " with padding (", before, ", ", after,
          ") is smaller than the window's ", window);
  return (in + before + after - window) / stride + 1;
}

Pool2dGeometry geometry_of(const char* op, const Tensor& x, const Pool2dOptions& options) {
  const Shape& in = x.shape();
  require(in.rank() == 4, op, ": x must be [n, h, w, c], got ", in);
  Pool2dGeometry g{};
  g.n = in[0], g.h = in[1], g.w = in[2], g.c = in[3];
  g.r = options.window_h, g.s = options.window_w;
  g.stride_h = options.stride_h, g.stride_w = options.stride_w;
  g.pad_top = options.padding.top, g.pad_left = options.padding.left;
  g.count_padding = options.count_padding;
  g.p = out_size(op, "height", g.h, options.padding.top, options.padding.bottom, g.r, g.stride_h);
  g.q = out_size(op, "width", g.w, options.padding.left, options.padding.right, g.s, g.stride_w);
  return g;
}

Tensor average(Tape& tape, const Tensor& x, const Pool2dGeometry& g, const Shape& out) {
  const Device& device = x.device();
  const Tensor y = Tensor::activations(device, out);
  device.kernels().average_pool2d_forward(g, x.as_activations(), y.as_activations());
  return tape.record("average_pool2d", {x}, y, [=, x = x.without_memory()](const Tensor& dy) {
    const auto [dx, write] = x.gradient_slot();
    device.kernels().average_pool2d_backward(g, dy.as_activations(), dx.as_activations(), write);
  });
}

}  // namespace

Tensor max_pool2d(Tape& tape, const Tensor& x, const Pool2dOptions& options, const Tensor& place) {
  Pool2dGeometry g = geometry_of("max_pool2d", x, options);
  const Device& device = x.device();
  const Shape out{g.n, g.p, g.q, g.c};
  const Tensor y = placed_result("max_pool2d", device, out, place);
  const Tensor winners = Tensor::indices(device, out);
  g.y_channels = y.as_channels().pixel;
  device.kernels().max_pool2d_forward(g, x.as_activations(), y.as_channels().first, winners.as_indices());
  return tape.record("max_pool2d", {x}, y, [=, x = x.without_memory()](const Tensor& dy) {
    const auto [dx, write] = x.gradient_slot();
    const auto [first_dy, dy_pixel] = dy.as_channels();
    Pool2dGeometry backward = g;
    backward.y_channels = dy_pixel;
    device.kernels().max_pool2d_backward(backward, first_dy, winners.as_indices(), dx.as_activations(),
                                         write);
  });
}

Tensor average_pool2d(Tape& tape, const Tensor& x, const Pool2dOptions& options) {
  const Pool2dGeometry g = geometry_of("average_pool2d", x, options);
  return average(tape, x, g, {g.n, g.p, g.q, g.c});
}

Tensor global_average_pool(Tape& tape, const Tensor& x) {
  require(x.shape().rank() == 4, "global_average_pool: x must be [n, h, w, c], got ", x.shape());
  const Pool2dOptions whole{.window_h = x.shape()[1], .window_w = x.shape()[2]};
  const Pool2dGeometry g = geometry_of("global_average_pool", x, whole);
  return average(tape, x, g, {g.n, g.c});
}

}  // namespace crescendo
