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
    : ghost_batch_(ghost_batch), pair_(zeros(device, parameters)), square_(device) {}

void NoiseMeasurement::restore(const NoiseScale::State& scale, bool pair_waiting) {
  scale_ = NoiseScale(scale);
  pair_waiting_ = pair_waiting;
}

void NoiseMeasurement::observe(const UpdateSums& sums, int64_t ghosts) {
  if (ghosts == 1) return observe_pair(sums);
  add(sum_of_squares(sums.count_values()), ghosts, squared(sums.gradients()));
  pair_waiting_ = false;
}

void NoiseMeasurement::observe_pair(const UpdateSums& sums) {
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
  const auto samples = static_cast<double>(ghost_batch_);
  const double squares = squared(pair_) / (samples * samples) + sum_of_squares(sums.count_values());
  blend_into_pair(1);
  add(squares, 2, squared(pair_));
  pair_waiting_ = false;
}

double NoiseMeasurement::squared(const Tensor& gradients) {
  write_sum_of_squares(gradients, square_.address());
  return square_.value();
}

void NoiseMeasurement::add(double squares, int64_t batches, double squared_sum) {
  const auto n = static_cast<double>(batches), samples = n * static_cast<double>(ghost_batch_);
  scale_.observe(squares / n, ghost_batch_, squared_sum / (samples * samples), batches * ghost_batch_);
}

}  // namespace crescendo
