#include "trainer/step/noise_scale.h"

namespace crescendo {

void NoiseScale::observe(double small, int64_t small_batch, double large, int64_t large_batch) {
  const auto b = static_cast<double>(small_batch), B = static_cast<double>(large_batch);
  const double squared_gradient = (B * large - b * small) / (B - b);
  const double covariance = (small - large) / (1 / b - 1 / B);
  state_.squared_gradient = kDecay * state_.squared_gradient + (1 - kDecay) * squared_gradient;
  state_.covariance = kDecay * state_.covariance + (1 - kDecay) * covariance;
  ++state_.observations;
}

std::optional<double> NoiseScale::value() const {
  // The bias correction 1 / (1 - decay^observations) is the same above and below the line.
  if (state_.observations == 0 || state_.squared_gradient <= 0) return {};
  return state_.covariance / state_.squared_gradient;
}

NoiseMeasurement::NoiseMeasurement(const Device& device, int64_t parameters, int64_t ghost_batch)
    : ghost_batch_(ghost_batch), pair_(zeros(device, parameters)) {}

void NoiseMeasurement::restore(const NoiseScale::State& scale, bool pair_waiting) {
  scale_ = NoiseScale(scale);
  pair_waiting_ = pair_waiting;
}

void NoiseMeasurement::observe(UpdateSums& sums, int64_t ghosts) {
  if (ghosts == 1) return observe_pair(sums);
  add_squares(sums.gradients(), &sums.squares().address()->total, Write::overwrite);
  const UpdateSums::Squares squares = sums.squares().value();
  add(squares.ghosts, ghosts, squares.total);
  pair_waiting_ = false;
}

void NoiseMeasurement::observe_pair(UpdateSums& sums) {
  const Tensor& gradients = sums.gradients();
  const auto blend_into_pair = [&](double keep) {
    pair_.device().run(Blend{
        .n = pair_.size(), .keep = keep, .weight = 1, .from = gradients.as_reals(), .to = pair_.as_reals()});
  };
  if (!pair_waiting_) {
    blend_into_pair(0);
    pair_waiting_ = true;
    return;
  }
  UpdateSums::Squares* squares = sums.squares().address();
  add_squares(pair_, &squares->ghosts, Write::add);  // to that of this update's only ghost batch
  blend_into_pair(1);
  add_squares(pair_, &squares->total, Write::overwrite);
  const UpdateSums::Squares found = sums.squares().value();
  add(found.ghosts, 2, found.total);
  pair_waiting_ = false;
}

void NoiseMeasurement::add(double sum_of_squares, int64_t batches, double square_of_sum) {
  const auto n = static_cast<double>(batches), ghost = static_cast<double>(ghost_batch_);
  scale_.observe(sum_of_squares / (n * ghost * ghost), ghost_batch_, square_of_sum / (n * ghost * n * ghost),
                 batches * ghost_batch_);
}

}  // namespace crescendo
