// y = the maximum, or the average, over windows of pixels. Backward: dy goes to the winning pixel (the first
// of equals), or in equal shares to all pixels of the window. Saved: the winners' positions for a maximum,
// nothing for an average.
#include "engine/ops/destination.h"
#include "engine/ops/window.h"

namespace crescendo {
namespace {

// A window must not be all padding.
void require_window(const char* op, const char* axis, int64_t before, int64_t after, int64_t window) {
  require(window >= 1, op, ": window must be at least 1, got ", window);
  require(before < window && after < window, op, ": ", axis, " padding (", before, ", ", after,
          ") must be smaller than the window of ", window);
}

Pool2dGeometry geometry_of(const char* op, const Tensor& x, const Pool2dOptions& options) {
  const Shape& in = x.shape();
  require(in.rank() == 4, op, ": x must be [n, h, w, c], got ", in);
  Pool2dGeometry g{};
  g.n = in[0], g.h = in[1], g.w = in[2], g.c = in[3];
  g.r = options.window_h, g.s = options.window_w;
  g.count_padding = options.count_padding;
  require_window(op, "height", options.padding.top, options.padding.bottom, g.r);
  require_window(op, "width", options.padding.left, options.padding.right, g.s);
  set_window_positions(op, options, g);
  return g;
}

Tensor average(Tape& tape, const Tensor& x, const Pool2dGeometry& g, const Shape& out) {
  const Device& device = x.device();
  const Tensor y = Tensor::activations(device, out);
  device.run(AveragePool2dForward{.geometry = g, .x = x.as_activations(), .y = y.as_activations()});
  return tape.record("average_pool2d", {x}, y, [=, x = x.without_memory()](const Tensor& dy) {
    const auto [dx, write] = x.gradient_slot();
    device.run(AveragePool2dBackward{
        .geometry = g, .dy = dy.as_activations(), .dx = dx.as_activations(), .write = write});
  });
}

}  // namespace

Tensor max_pool2d(Tape& tape, const Tensor& x, const Pool2dOptions& options, const Tensor& destination) {
  Pool2dGeometry g = geometry_of("max_pool2d", x, options);
  const Device& device = x.device();
  const Shape out{g.n, g.p, g.q, g.c};
  const Tensor y = result_tensor("max_pool2d", device, out, destination);
  const Tensor winners = Tensor::indices(device, out);
  g.y_channels = y.as_channels().pixel;
  device.run(MaxPool2dForward{
      .geometry = g, .x = x.as_activations(), .y = y.as_channels().first, .winners = winners.as_indices()});
  return tape.record("max_pool2d", {x}, y, [=, x = x.without_memory()](const Tensor& dy) {
    const auto [dx, write] = x.gradient_slot();
    const auto [first_dy, dy_pixel] = dy.as_channels();
    Pool2dGeometry backward = g;
    backward.y_channels = dy_pixel;
    device.run(MaxPool2dBackward{.geometry = backward,
                                 .dy = first_dy,
                                 .winners = winners.as_indices(),
                                 .dx = dx.as_activations(),
                                 .write = write});
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
