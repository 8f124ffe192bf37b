#include "trainer/step/update_sums.h"

namespace crescendo {

Tensor zeros(const Device& device, int64_t size) {
  Tensor flat = Tensor::reals(device, {size});
  device.kernels().fill(size, 0, flat.as_reals());
  return flat;
}

void add_squares(const Tensor& flat, double* sum, Write write) {
  flat.device().kernels().sum_of_squares(flat.size(), flat.as_reals(), sum, write);
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
  if (total_.defined()) total_.device().kernels().fill(total_.size(), 0, total_.as_reals());
}

void UpdateSums::add_ghost(Write write) {
  const Tensor& gradients = parameters_.gradients();
  add_squares(gradients, &squares_.address()->ghosts, write);
  total_.device().kernels().blend(total_.size(), 1, 1, gradients.as_reals(), total_.as_reals());
}

void UpdateSums::blend_statistics(double momentum, int64_t ghosts) {
  const Tensor& pending = parameters_.statistic_pending();
  Backend& kernels = pending.device().kernels();
  kernels.blend(pending.size(), 1 - momentum, momentum / static_cast<double>(ghosts), pending.as_reals(),
                parameters_.statistic_values().as_reals());
  kernels.fill(pending.size(), 0, pending.as_reals());
}

void UpdateSums::move_to(int64_t position) {
  if (position == position_) return;
  parameters_.values().device().kernels().upload(&position, &counters_.address()->position, sizeof position);
  position_ = position;
}

}  // namespace crescendo
