// Bringing memory into the cache ahead of its use.
#pragma once

#include <cstdint>

#include "kernels/real.h"

namespace crescendo {

// Memory to be brought into the second-level cache while something else is computed: slice(i, n) asks for the
// i-th of n parts.
struct Prefetch {
  const real* begin = nullptr;
  const real* end = nullptr;

  void slice(int64_t i, int64_t n) const {
    constexpr int64_t kLine = 64 / sizeof(real);
    const int64_t lines = (end - begin) / kLine;
    for (int64_t line = lines * i / n; line < lines * (i + 1) / n; ++line)
      __builtin_prefetch(begin + line * kLine, 0, 2);
  }
};

}  // namespace crescendo
