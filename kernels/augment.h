// The augmentation for CIFAR (Zagoruyko & Komodakis, "Wide Residual Networks", 2016): flip left to right with
// probability 1/2, pad by 4 reflected pixels, crop at random to the original size. The loader and all
// backends share this code.
#pragma once

#include "base/philox.h"

namespace crescendo {

inline constexpr int64_t kCropPadding = 4;

// One random outcome. The image is flipped first, then padded and cropped. The default changes nothing.
struct Augmentation {
  bool flip = false;
  int64_t top = kCropPadding, left = kCropPadding;  // the crop's corner, in [0, 2 * kCropPadding]
};

// Draws the outcome, a pure function of its arguments. `key` is random_key(seed, Purpose::augmentation).
HD inline Augmentation draw_augmentation(uint64_t key, int64_t epoch, int64_t index) {
  const auto image = static_cast<uint64_t>(index);
  const PhiloxWords words = philox4x32(
      {{static_cast<uint32_t>(image), static_cast<uint32_t>(image >> 32), static_cast<uint32_t>(epoch), 0}},
      key);
  constexpr uint64_t kOffsets = 2 * kCropPadding + 1;
  return {(words.word[0] >> 31) != 0, static_cast<int64_t>((words.word[1] * kOffsets) >> 32),
          static_cast<int64_t>((words.word[2] * kOffsets) >> 32)};
}

// Returns the pixel, of n, that position i of a padded axis shows. Positions from 0 on show the pixels
//   4 3 2 1 | 0 1 2 ... n-1 | n-2 n-3 n-4 n-5
HD inline int64_t reflected(int64_t i, int64_t n) {
  const int64_t inside = i < kCropPadding ? kCropPadding - i : i - kCropPadding;
  return inside < n ? inside : 2 * (n - 1) - inside;
}

// Return the row and the column of the image [h,w] that row y and column x of the outcome show.
HD inline int64_t source_row(const Augmentation& a, int64_t y, int64_t h) { return reflected(y + a.top, h); }
HD inline int64_t source_column(const Augmentation& a, int64_t x, int64_t w) {
  const int64_t column = reflected(x + a.left, w);
  return a.flip ? w - 1 - column : column;
}

}  // namespace crescendo
