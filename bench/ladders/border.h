// An image with a border of zeros one pixel wide, so that loops over taps need no conditions.
#pragma once

#include <algorithm>

#include "ladder.h"

namespace crescendo::bench {

// Returns the number of elements of an image with its border.
inline int64_t bordered_size(const Layer& layer) {
  return (layer.size + 2) * (layer.size + 2) * layer.channels;
}

// Copies an image into the middle of `bordered`, and leaves its border of zeros as it is.
inline void copy_inside(const Layer& layer, const real* image, real* bordered) {
  const int64_t row = layer.size * layer.channels, bordered_row = row + 2 * layer.channels;
  for (int64_t h = 0; h < layer.size; ++h)
    std::copy_n(image + h * row, row, bordered + (h + 1) * bordered_row + layer.channels);
}

}  // namespace crescendo::bench
