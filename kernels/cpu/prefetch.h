// Bringing memory into the second-level cache ahead of its use, while something else is computed.
#pragma once

#include <cstdint>

#include "kernels/real.h"

namespace crescendo::CRESCENDO_CPU {

class Prefetch {
 public:
  Prefetch() = default;
  // [begin, end), to be asked for in `steps` equal parts: many at once would fill the queue of misses.
  Prefetch(const real* begin, const real* end, int64_t steps)
      : next_(begin), end_(end), step_(((end - begin) / kLine / steps + 1) * kLine) {}

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
