// Random numbers for tests, equal on every machine.
#pragma once

#include <vector>

#include "base/philox.h"
#include "kernels/real.h"

namespace crescendo::test {

// Returns n values in [-1, 1), with 24 random bits each, that depend on `seed` alone.
inline std::vector<real> noise(int64_t n, uint32_t seed) {
  std::vector<real> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = 2 * philox_uniform(philox4x32({{static_cast<uint32_t>(i), 0, 0, seed}}, 7).word[0]) - 1;
  return values;
}

}  // namespace crescendo::test
