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
  Backend& kernels = device.kernels();
  device.memory().reserve_workspace(kernels.workspace(g));
  if (bias.defined()) device.memory().reserve_workspace(kernels.workspace(bias_geometry));

  const Tensor y = Tensor::activations(device, {n, out});
  kernels.linear_forward(g, x.as_activations(), weight.as_activations(),
                         bias.defined() ? bias.as_reals() : nullptr, y.as_activations());

  return tape.record("linear", {x, weight, bias}, y, [=](const Tensor& dy) {
    if (weight.needs_gradient()) {
      const auto [dw, write] = weight.gradient_slot();
      device.kernels().linear_backward_weight(g, x.as_activations(), dy.as_activations(), dw.as_reals(),
                                              write);
    }
    if (bias.needs_gradient()) {
      const auto [db, write] = bias.gradient_slot();
      device.kernels().bias_backward(bias_geometry, dy.as_activations(), db.as_reals(), write);
    }
    if (x.needs_gradient()) {
      const auto [dx, write] = x.gradient_slot();
      device.kernels().linear_backward_data(g, dy.as_activations(), weight.as_activations(),
                                            dx.as_activations(), write);
    }
  });
}

}  // namespace crescendo
