// y = a + factor * b. Backward: da = dy, db = factor * dy. Saved: nothing.
#include "engine/ops.h"

namespace crescendo {

Tensor add(Tape& tape, const Tensor& a, const Tensor& b, double factor) {
  require(a.shape() == b.shape(), "add: shapes ", a.shape(), " and ", b.shape(), " differ");
  const Device& device = a.device();
  const Tensor y = Tensor::activations(device, a.shape());
  device.run(ScaleAdd{.n = a.size(),
                      .a = a.as_activations(),
                      .factor = factor,
                      .b = b.as_activations(),
                      .y = y.as_activations()});
  return tape.record("add", {a, b}, y, [=, a = a.without_memory(), b = b.without_memory()](const Tensor& dy) {
    if (b.needs_gradient()) {
      const auto [db, write] = b.gradient_slot();
      device.run(Scale{.n = dy.size(),
                       .factor = factor,
                       .x = dy.as_activations(),
                       .y = db.as_activations(),
                       .write = write});
    }
    if (a.needs_gradient()) a.add_to_gradient(dy);
  });
}

}  // namespace crescendo
