// An image with a border of zeros, so that loops over taps need no conditions.
#pragma once

#include <algorithm>

#include "ladder.h"

namespace crescendo::bench {

inline int64_t bordered_size(const Layer& layer) {
  return (layer.size + 2) * (layer.size + 2) * layer.channels;
}

// Copies into the middle of `bordered`, whose border is zero and stays so.
inline void copy_inside(const Layer& layer, const real* image, real* bordered) {
  const int64_t row = layer.size * layer.channels, bordered_row = row + 2 * layer.channels;
  for (int64_t h = 0; h < layer.size; ++h)
    std::copy_n(image + h * row, row, bordered + (h + 1) * bordered_row + layer.channels);
}

}  // namespace crescendo::bench
