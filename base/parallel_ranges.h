// Host work outside the kernels that threads share: reading, drawing, initialising.
#pragma once

#include <cstdint>
#include <functional>

namespace crescendo {

// f(begin, end) for ranges of [0, count), one a core but at most 16, each on a thread of its own. f must not
// throw, and what it computes must not depend on where the ranges end.
void parallel_ranges(int64_t count, const std::function<void(int64_t, int64_t)>& f);

}  // namespace crescendo
