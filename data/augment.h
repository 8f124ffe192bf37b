// The CIFAR augmentation (Zagoruyko & Komodakis, "Wide Residual Networks", 2016): flip left to right with
// probability 1/2, pad by 4 reflected pixels, crop at random to the original size; then (pixel - mean) /
// deviation.
#pragma once

#include <array>
#include <cstdint>

#include "data/dataset.h"

namespace crescendo {

inline constexpr int64_t kCropPadding = 4;

// Per channel, of pixels in 0..255.
struct Normalisation {
  std::array<float, 3> mean{}, deviation{};
};

// The 256 values a byte of each channel can become.
using PixelTable = std::array<std::array<float, 256>, 3>;
PixelTable pixel_table(const Normalisation&);

// One outcome of the augmentation: the image is mirrored first, then cut out of its padded self.
struct Augmentation {
  bool flip = false;
  int64_t top = kCropPadding,
          left = kCropPadding;  // of the crop, in [0, 2 * kCropPadding]; these change nothing
};

// A pure function of its arguments; key is random_key(seed, Purpose::augmentation).
Augmentation draw_augmentation(uint64_t key, int64_t epoch, int64_t index);

// Bytes [h,w,3] or [3,h,w]: channel c of pixel i, counted row by row, lies at bytes[i * pixel + c * channel].
struct ImageView {
  const uint8_t* bytes;
  int64_t pixel, channel;

  static ImageView interleaved(const uint8_t* bytes) { return {bytes, 3, 1}; }
  static ImageView planar(const uint8_t* bytes, const ImageSize& size) {
    return {bytes, 1, size.height * size.width};
  }
};

// image -> pixels [h,w,3]. Height and width must exceed kCropPadding.
void write_augmented(const ImageView& image, const ImageSize&, const Augmentation&, const PixelTable&,
                     float* pixels);

}  // namespace crescendo
