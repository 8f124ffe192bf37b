// Counters of a training run in the backend's memory.
// Kernels update and read them, so that no step waits for the host.
#pragma once

#include <cstdint>

#include "kernels/real.h"

namespace crescendo {

struct StepCounters {
  int64_t position = 0;     // samples of the run before the micro-batch
  int64_t correct = 0;      // correctly classified samples since the host last set the counters
  double loss = 0;          // sum of the losses since the host last set the counters
  int64_t stopped_at = -1;  // position after the first non-finite update; -1 if there was none
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
