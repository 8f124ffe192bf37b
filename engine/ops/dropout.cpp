// y = mask * x / keep. The mask is drawn by (seed, position of the image in the run, layer, element), so it
// does not depend on the micro-batch. Backward: dx = mask * dy / keep, with the mask drawn again.
// Saved: nothing.
#include "base/rng.h"
#include "engine/ops.h"

namespace crescendo {

Tensor dropout(Tape& tape, const Tensor& x, double keep, uint32_t layer) {
  require(keep > 0 && keep <= 1, "dropout: keep must lie in (0, 1], got ", keep);
  if (!tape.is_training() || keep == 1) return x;
  const int64_t n = x.shape()[0];
  const DropoutGeometry g{n, n ? x.size() / n : 0, random_key(tape.options().seed, Purpose::dropout), layer,
                          keep};
  const Device& device = x.device();
  const StepCounters* counters = tape.options().counters;
  const Tensor y = Tensor::activations(device, x.shape());
  device.run(Dropout{.geometry = g,
                     .counters = counters,
                     .x = x.as_activations(),
                     .y = y.as_activations(),
                     .write = Write::overwrite});
  return tape.record("dropout", {x}, y, [=, x = x.without_memory()](const Tensor& dy) {
    const auto [dx, write] = x.gradient_slot();
    device.run(Dropout{.geometry = g,
                       .counters = counters,
                       .x = dy.as_activations(),
                       .y = dx.as_activations(),
                       .write = write});
  });
}

}  // namespace crescendo
