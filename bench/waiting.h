// Timing calls that only begin their work: a GPU's kernels run on after the call has returned.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>

#include "program.h"

namespace crescendo::bench {

using Call = std::function<void()>;

// So many calls and the wait for their end; an empty wait for calls that end by themselves.
inline void make_calls(const Call& call, const Call& wait, int64_t calls) {
  for (int64_t i = 0; i < calls; ++i) call();
  if (wait) wait();
}

inline double seconds_of(const Call& call, const Call& wait, int64_t calls) {
  const Stopwatch watch;
  make_calls(call, wait, calls);
  return watch.seconds();
}

// Seconds of calls between two waits. The wait and the way to the device, some 20 microseconds, are small
// beside it.
inline constexpr double kSecondsBetweenWaits = 0.02;

inline int64_t calls_between_waits(const Call& call, const Call& wait) {
  constexpr double kEnoughToJudge = kSecondsBetweenWaits / 20;
  constexpr int64_t kMost = 1 << 20;  // of calls that take no time
  if (!wait) return 1;
  seconds_of(call, wait, 1);  // the first may load or choose a kernel
  for (int64_t calls = 1;; calls *= 4) {
    const double seconds = seconds_of(call, wait, calls);
    if (seconds < kEnoughToJudge) continue;
    const double wanted = std::ceil(static_cast<double>(calls) * kSecondsBetweenWaits / seconds);
    return std::clamp<int64_t>(static_cast<int64_t>(wanted), 1, kMost);
  }
}

}  // namespace crescendo::bench
