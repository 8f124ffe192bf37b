// Linear layers around the boundaries of tiles and chunks.
#pragma once

#include <vector>

#include "kernels/geometry.h"

namespace crescendo::test {

inline std::vector<LinearGeometry> linear_cases() {
  return {
      {.n = 1, .in = 1, .out = 1, .ghost = 1},      {.n = 6, .in = 31, .out = 10, .ghost = 3},
      {.n = 31, .in = 32, .out = 33, .ghost = 31},  {.n = 33, .in = 33, .out = 1, .ghost = 11},
      {.n = 130, .in = 64, .out = 7, .ghost = 130}, {.n = 4, .in = 1, .out = 100, .ghost = 2},
  };
}

}  // namespace crescendo::test
