// y = mask * x / keep, the mask drawn by (seed, position of the image in the run, layer, element): the same
// however the batch is cut. Backward: dx = mask * dy / keep with the mask drawn again. Saved: nothing.
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
  device.kernels().dropout(g, counters, x.as_activations(), y.as_activations(), Write::overwrite);
  return tape.record("dropout", {x}, y, [=, x = x.without_memory()](const Tensor& dy) {
    const auto [dx, write] = x.gradient_slot();
    device.kernels().dropout(g, counters, dy.as_activations(), dx.as_activations(), write);
  });
}

}  // namespace crescendo
