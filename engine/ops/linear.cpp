// y = x W^T + b. Backward: dx = dy W, dW = dy^T x, db = sum of dy. Saved: x and W.
#include "engine/ops.h"

namespace crescendo {

Tensor linear(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  require(x.shape().rank() == 2, "linear: x must be [n, in], got ", x.shape());
  require(weight.shape().rank() == 2 && weight.shape()[1] == x.shape()[1], "linear: weight ", weight.shape(),
          " for x ", x.shape(), "; expected [out, ", x.shape()[1], "]");
  const int64_t n = x.shape()[0], out = weight.shape()[0];
  if (bias.defined())
    require(bias.shape() == Shape{out}, "linear: bias ", bias.shape(), " for ", out, " outputs");
  const int64_t ghost = tape.is_training() ? tape.ghost(n) : n;
  const LinearGeometry g{n, x.shape()[1], out, ghost};
  const BiasGeometry bias_geometry{n, 1, out, ghost};
  const Device& device = x.device();
  const Tensor y = Tensor::activations(device, {n, out});
  device.run(LinearForward{.geometry = g,
                           .x = x.as_activations(),
                           .weight = weight.as_activations(),
                           .bias = bias.defined() ? bias.as_reals() : nullptr,
                           .y = y.as_activations()});

  return tape.record("linear", {x, weight, bias}, y, [=](const Tensor& dy) {
    if (weight.needs_gradient()) {
      const auto [dw, write] = weight.gradient_slot();
      device.run(LinearBackwardWeight{.geometry = g,
                                      .x = x.as_activations(),
                                      .dy = dy.as_activations(),
                                      .dweight = dw.as_reals(),
                                      .write = write,
                                      .ghost_stride = weight.ghost_stride()});
    }
    if (bias.needs_gradient()) {
      const auto [db, write] = bias.gradient_slot();
      device.run(BiasBackward{.geometry = bias_geometry,
                              .dy = dy.as_activations(),
                              .dbias = db.as_reals(),
                              .write = write,
                              .ghost_stride = bias.ghost_stride()});
    }
    if (x.needs_gradient()) {
      const auto [dx, write] = x.gradient_slot();
      device.run(LinearBackwardData{.geometry = g,
                                    .dy = dy.as_activations(),
                                    .weight = weight.as_activations(),
                                    .dx = dx.as_activations(),
                                    .write = write});
    }
  });
}

}  // namespace crescendo
