// y = a + factor * b. Backward: da = dy, db = factor * dy. Saved: nothing.
#include "engine/ops.h"

namespace crescendo {

Tensor scale_add(Tape& tape, const Tensor& a, double factor, const Tensor& b) {
  require(a.shape() == b.shape(), "add: shapes ", a.shape(), " and ", b.shape(), " differ");
  const Device& device = a.device();
  const Tensor y = Tensor::activations(device, a.shape());
  device.kernels().scale_add(a.size(), a.as_activations(), factor, b.as_activations(), y.as_activations());
  return tape.record("add", {a, b}, y, [=, a = a.without_memory(), b = b.without_memory()](const Tensor& dy) {
    const auto send = [&](const Tensor& input, double share) {
      if (!input.needs_gradient()) return;
      const auto [dx, write] = input.gradient_slot();
      device.kernels().scale(dy.size(), share, dy.as_activations(), dx.as_activations(), write);
    };
    send(a, 1);
    send(b, factor);
  });
}

Tensor add(Tape& tape, const Tensor& a, const Tensor& b) { return scale_add(tape, a, 1, b); }

}  // namespace crescendo
