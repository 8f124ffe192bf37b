// y = max(0, x); NaN stays NaN. Backward: dx = 0 where y <= 0, else dy. Saved: y.
#include "engine/ops.h"

namespace crescendo {

Tensor relu(Tape& tape, const Tensor& x) {
  const Device& device = x.device();
  const Tensor y = Tensor::activations(device, x.shape());
  device.run(ReluForward{.n = x.size(), .x = x.as_activations(), .y = y.as_activations()});
  return tape.record("relu", {x}, y, [=, x = x.without_memory()](const Tensor& dy) {
    const auto [dx, write] = x.gradient_slot();
    device.run(ReluBackward{.n = y.size(),
                            .y = y.as_activations(),
                            .dy = dy.as_activations(),
                            .dx = dx.as_activations(),
                            .write = write});
  });
}

}  // namespace crescendo
