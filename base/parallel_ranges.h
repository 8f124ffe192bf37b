// Runs host work in several threads: reading, drawing and initialising, not kernels.
#pragma once

#include <cstdint>
#include <functional>

namespace crescendo {

// Splits [0, count) into one range per allowed core (cores.h), at most 16, and calls f(begin, end) for each:
// for the first in the calling thread, for each other in a new one. Returns when all calls have returned. f
// must not throw, and its results must not depend on how [0, count) is split.
void parallel_ranges(int64_t count, const std::function<void(int64_t, int64_t)>& f);

}  // namespace crescendo
