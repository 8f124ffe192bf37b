#include "trainer/step/noise_scale.h"

namespace crescendo {

void NoiseScale::observe(double small, int64_t small_batch, double large, int64_t large_batch) {
  const auto b = static_cast<double>(small_batch), B = static_cast<double>(large_batch);
  const double squared_gradient = (B * large - b * small) / (B - b);
  const double covariance = (small - large) / (1 / b - 1 / B);
  state.squared_gradient = kDecay * state.squared_gradient + (1 - kDecay) * squared_gradient;
  state.covariance = kDecay * state.covariance + (1 - kDecay) * covariance;
  ++state.observations;
}

std::optional<double> NoiseScale::value() const {
  // The bias correction 1 / (1 - decay^observations) is the same above and below the line.
  if (state.observations == 0 || state.squared_gradient <= 0) return {};
  return state.covariance / state.squared_gradient;
}

}  // namespace crescendo
