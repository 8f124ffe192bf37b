// Prefetches memory into the second-level cache, step by step between other computations.
#pragma once

#include <cstdint>

#include "kernels/real.h"

namespace crescendo::CRESCENDO_CPU {

// A range of memory to prefetch. A default-constructed one is empty.
class Prefetch {
 public:
  Prefetch() = default;
  // The range [begin, end), in `steps` equal parts. Too many requests at once would fill the processor's
  // queue of cache misses.
  Prefetch(const real* begin, const real* end, int64_t steps)
      : next_(begin), end_(end), step_(((end - begin) / kLine / steps + 1) * kLine) {}

  // Requests the next part.
  void step() {
    const real* stop = end_ - next_ < step_ ? end_ : next_ + step_;
    for (; next_ < stop; next_ += kLine) __builtin_prefetch(next_, 0, 2);
    next_ = stop;
  }

 private:
  static constexpr int64_t kLine = 64 / sizeof(real);
  const real* next_ = nullptr;
  const real* end_ = nullptr;
  int64_t step_ = 0;
};

}  // namespace crescendo::CRESCENDO_CPU
