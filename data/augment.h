// Images as bytes to normalised pixels: the augmentation of kernels/augment.h, then (pixel - mean) /
// deviation.
#pragma once

#include <array>
#include <cstdint>

#include "data/dataset.h"
#include "kernels/augment.h"

namespace crescendo {

// Per channel, of pixels in 0..255.
struct Normalisation {
  std::array<float, 3> mean{}, deviation{};
};

// The 256 values a byte of each channel can become.
using PixelTable = std::array<std::array<float, 256>, 3>;
PixelTable pixel_table(const Normalisation&);

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
