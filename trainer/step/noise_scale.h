// The measured gradient noise scale B_simple = tr(S) / |G|^2, where S is the covariance of one sample's
// gradient and G the mean gradient (McCandlish, Kaplan, Amodei et al. 2018, arXiv 1812.06162, appendix A.1).
// Gradients of two batch sizes b < B give it:
//   |G|^2 = (B |g_B|^2 - b |g_b|^2) / (B - b)
//   tr(S) = (|g_b|^2 - |g_B|^2) / (1/b - 1/B)
//   B_simple = mean tr(S) / mean |G|^2
// (docs/derivations/noise_scale.md). B_simple, a number of samples, grows in training and is roughly the
// largest batch worth using.
#pragma once

#include <cstdint>
#include <optional>

#include "trainer/step/update_sums.h"

namespace crescendo {

class NoiseScale {
 public:
  // Everything to save and restore: exponential averages and the number of observations in them.
  struct State {
    double covariance = 0, squared_gradient = 0;
    int64_t observations = 0;
  };

  NoiseScale() = default;
  explicit NoiseScale(const State& state) : state_(state) {}

  // Adds squared norms of mean gradients: `small` is the average over batches of `small_batch` samples,
  // `large` that of all of them together, `large_batch` > small_batch samples.
  void observe(double small, int64_t small_batch, double large, int64_t large_batch);
  // Returns B_simple. None before the first observation, or while the averaged |G|^2 is not positive (noise
  // hides the gradient).
  std::optional<double> value() const;

  const State& state() const { return state_; }

 private:
  static constexpr double kDecay = 0.99;
  State state_;
};

// Measures the noise scale from the sums of updates. In an update of several ghost batches, it compares their
// gradients with the mean of them. Updates of one ghost batch are compared in pairs of successive updates, as
// if both had the same parameters.
class NoiseMeasurement {
 public:
  NoiseMeasurement(const Device& device, int64_t parameters, int64_t ghost_batch);

  // Observes a finished update of `ghosts` ghost batches. Waits for the device, but not after the first update
  // of a pair.
  void observe(const UpdateSums& sums, int64_t ghosts);

  const NoiseScale& scale() const { return scale_; }
  // The gradients of a pair's first update, saved with the optimizer's state, and whether the second update is
  // still to come.
  const Tensor& pair() const { return pair_; }
  bool pair_waiting() const { return pair_waiting_; }
  // Restores all but pair(), which is filled in place.
  void restore(const NoiseScale::State& scale, bool pair_waiting);

 private:
  // Observes `batches` ghost batches by the sum of their squared mean gradients, and the squared sum of their
  // gradients over all samples.
  void add(double squares, int64_t batches, double squared_sum);
  void observe_pair(const UpdateSums& sums);
  double squared(const Tensor& gradients);

  int64_t ghost_batch_;
  NoiseScale scale_;
  Tensor pair_;
  DeviceScalar<double> square_;
  bool pair_waiting_ = false;
};

}  // namespace crescendo
