// What a run counts in the backend's memory, so that its steps need not wait for the host to read anything.
#pragma once

#include <cstdint>

#include "kernels/real.h"

namespace crescendo {

struct StepCounters {
  int64_t position = 0;     // samples of the run before the micro-batch
  int64_t correct = 0;      // samples that were, since the host last began to count
  double loss = 0;          // sum over the same samples
  int64_t stopped_at = -1;  // position after the first update that was not finite; -1: none was
};

HD inline bool is_stopped(const StepCounters* counters) {
  return counters != nullptr && counters->stopped_at >= 0;
}
HD inline int64_t position_of(const StepCounters* counters) {
  return counters == nullptr ? 0 : counters->position;
}

}  // namespace crescendo
