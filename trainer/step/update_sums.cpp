#include "trainer/step/update_sums.h"

namespace crescendo {

Tensor zeros(const Device& device, int64_t size) {
  Tensor flat = Tensor::reals(device, {size});
  device.run(Fill{.n = size, .value = 0, .to = flat.as_reals()});
  return flat;
}

void add_squares(const Tensor& flat, double* sum, Write write) {
  flat.device().run(SumOfSquares{.n = flat.size(), .x = flat.as_reals(), .result = sum, .write = write});
}

UpdateSums::UpdateSums(ParameterStore& parameters, bool measures_noise)
    : parameters_(parameters),
      counters_(parameters.values().device()),
      squares_(parameters.values().device()) {
  if (measures_noise) total_ = zeros(parameters.values().device(), parameters.size());
}

void UpdateSums::restart(const SampleSums& counts) {
  counters_.set({.correct = counts.correct, .loss = counts.loss});
  position_ = -1;
}

void UpdateSums::begin() {
  parameters_.forget_gradients();
  if (total_.defined()) total_.device().run(Fill{.n = total_.size(), .value = 0, .to = total_.as_reals()});
}

void UpdateSums::add_ghost(Write write) {
  const Tensor& gradients = parameters_.gradients();
  add_squares(gradients, &squares_.address()->ghosts, write);
  total_.device().run(Blend{
      .n = total_.size(), .keep = 1, .weight = 1, .from = gradients.as_reals(), .to = total_.as_reals()});
}

void UpdateSums::blend_statistics(double momentum, int64_t ghosts) {
  const Tensor& pending = parameters_.statistic_pending();
  const Device& device = pending.device();
  device.run(Blend{.n = pending.size(),
                   .keep = 1 - momentum,
                   .weight = momentum / static_cast<double>(ghosts),
                   .from = pending.as_reals(),
                   .to = parameters_.statistic_values().as_reals()});
  device.run(Fill{.n = pending.size(), .value = 0, .to = pending.as_reals()});
}

void UpdateSums::move_to(int64_t position) {
  if (position == position_) return;
  parameters_.values().device().backend().upload(&position, &counters_.address()->position, sizeof position);
  position_ = position;
}

}  // namespace crescendo
