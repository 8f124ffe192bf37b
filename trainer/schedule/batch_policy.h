// Who decides the batch and the learning rate of each update: a policy, which is asked before each update
// with the samples seen and what the run has measured.
#pragma once

#include <cstdint>
#include <optional>

namespace crescendo {

using SamplesSeen = int64_t;

// The values that an update is made with.
struct Setting {
  double learning_rate = 0, momentum = 0, weight_decay = 0;
  int64_t batch = 0;
  bool operator==(const Setting&) const = default;
};

// Returns g = eps / (1 - m) * (N / B - 1), the scale of the noise in SGD's updates (Smith et al. 2018, eq. 5
// and 6).
inline double noise_scale(const Setting& setting, int64_t train_images) {
  return setting.learning_rate / (1 - setting.momentum) *
         (static_cast<double>(train_images) / static_cast<double>(setting.batch) - 1);
}

// What a run has measured before an update.
struct Measurement {
  std::optional<double> noise_scale;  // B_simple (trainer/step/noise_scale.h); none: not measured, or not yet
};

// Batches from `smallest` to `largest`, in whole ghost batches.
struct BatchBounds {
  int64_t smallest = 0, largest = 0;
};

class BatchPolicy {
 public:
  BatchPolicy() = default;
  BatchPolicy(const BatchPolicy&) = delete;
  BatchPolicy& operator=(const BatchPolicy&) = delete;
  virtual ~BatchPolicy() = default;

  // Returns the setting of the update that begins after `seen` samples. Positions never go back. Asked twice
  // for a position, with the same measurement, it answers the same.
  virtual Setting next(SamplesSeen seen, const Measurement&) = 0;
  // Returns the bounds of what next(seen, ...) can decide, whatever was measured until then. Equal bounds
  // mean that the batch is known before the run.
  virtual BatchBounds bounds(SamplesSeen seen) const = 0;
};

}  // namespace crescendo
