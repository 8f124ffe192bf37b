// The measured gradient noise scale B_simple = trace(covariance of a sample's gradient) / |mean gradient|^2
// (McCandlish, Kaplan, Amodei et al. 2018, arXiv 1812.06162, appendix A.1), from gradients of two batch
// sizes:
//   |G|^2 = (B |g_B|^2 - b |g_b|^2) / (B - b),   S = (|g_b|^2 - |g_B|^2) / (1/b - 1/B),   B_simple = mean S /
//   mean |G|^2
// (docs/derivations/noise_scale.md). It grows in training: roughly the largest batch worth using.
#pragma once

#include <cstdint>
#include <optional>

namespace crescendo {

class NoiseScale {
 public:
  // Squared norms of mean gradients: `small` averaged over batches of `small_batch` samples, `large` of all
  // of them together, large_batch > small_batch samples.
  void observe(double small, int64_t small_batch, double large, int64_t large_batch);
  // None before the first observation, or while the averaged |G|^2 is not positive (noise hides the
  // gradient).
  std::optional<double> value() const;

  // All there is to save and restore: exponential averages and how many observations they hold.
  struct State {
    double covariance = 0, squared_gradient = 0;
    int64_t observations = 0;
  };
  State state;

 private:
  static constexpr double kDecay = 0.99;
};

}  // namespace crescendo
