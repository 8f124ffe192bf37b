// Times calls that only start their work: a GPU's kernels still run after the call has returned.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>

#include "program.h"

namespace crescendo::bench {

using Call = std::function<void()>;

// Makes `calls` calls and waits for their work. `wait` is empty if calls return only when their work is done.
inline void make_calls(const Call& call, const Call& wait, int64_t calls) {
  for (int64_t i = 0; i < calls; ++i) call();
  if (wait) wait();
}

// Returns the seconds that make_calls takes.
inline double seconds_of(const Call& call, const Call& wait, int64_t calls) {
  const Stopwatch watch;
  make_calls(call, wait, calls);
  return watch.seconds();
}

// Time of the calls between two waits.
// The wait and the launch take some 20 microseconds, which is little in comparison.
inline constexpr double kSecondsBetweenWaits = 0.02;

// Returns the number of calls to make between two waits; 1 if `wait` is empty.
inline int64_t calls_between_waits(const Call& call, const Call& wait) {
  constexpr double kEnoughToJudge = kSecondsBetweenWaits / 20;
  constexpr int64_t kMost = 1 << 20;  // for calls that take no time
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
