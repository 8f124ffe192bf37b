// Counters of a training run in the backend's memory.
// Kernels update and read them, so that no step waits for the host.
#pragma once

#include <cstdint>

#include "kernels/real.h"

namespace crescendo {

struct StepCounters {
  int64_t position = 0;  // samples of the run before the micro-batch
  int64_t first = 0;     // samples of the run before the update
  int64_t ghosts = 1;    // ghost batches of the update
  int64_t correct = 0;   // correctly classified samples of the updates since the host last set the counters
  double loss = 0;       // sum of their losses
  int64_t stopped_at = -1;  // `first` of the first non-finite update; -1 if there was none

  bool operator==(const StepCounters&) const = default;
};

// Exact sums over the samples of the present update (kernels/exact_sum.h).
struct UpdateCounts {
  int64_t loss = 0;     // in units of kLossUnit
  int64_t correct = 0;  // correctly classified samples
  int64_t bad = 0;      // not 0: a loss, gradient or statistic was infinite, NaN, or too large for its sum
  // The ghost batches' squared mean gradients, if they are measured: in kSquareUnit, and what is left over in
  // kSmallSquareUnit.
  int64_t squares = 0, small_squares = 0;

  bool operator==(const UpdateCounts&) const = default;
};

// Returns true after a non-finite update; false if `counters` is null.
HD inline bool is_stopped(const StepCounters* counters) {
  return counters != nullptr && counters->stopped_at >= 0;
}
// Returns the position; 0 if `counters` is null.
HD inline int64_t position_of(const StepCounters* counters) {
  return counters == nullptr ? 0 : counters->position;
}

}  // namespace crescendo
