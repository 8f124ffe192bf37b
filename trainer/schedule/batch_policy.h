// A policy decides the batch and the learning rate of each update. It is asked before the update, with the
// samples seen and what the run has measured.
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

// Returns g = eps / (1 - m) * (N / B - 1), the noise scale of SGD's updates (Smith et al. 2018, eq. 5 and 6).
inline double noise_scale(const Setting& setting, int64_t train_images) {
  return setting.learning_rate / (1 - setting.momentum) *
         (static_cast<double>(train_images) / static_cast<double>(setting.batch) - 1);
}

// The measurements of a run, as they stand before an update.
struct Measurement {
  std::optional<double> noise_scale;  // B_simple in images (trainer/step/noise_scale.h); none: not known
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

  // Returns the setting of the update that begins after `seen` samples. Callers never go back to an earlier
  // position. Two calls with the same position and measurement return the same setting.
  virtual Setting next(SamplesSeen seen, const Measurement&) = 0;
  // Returns bounds on the batch of next(seen, ...), whatever is measured until then. Equal bounds mean that
  // the batch is known before the run. A run without measurements has the smallest batches.
  virtual BatchBounds bounds(SamplesSeen seen) const = 0;
};

}  // namespace crescendo
