// Turns the bytes of an image into normalised floats: flips and crops it (kernels/augment.h), then computes
// (pixel - mean) / deviation.
#pragma once

#include <array>
#include <cstdint>

#include "data/dataset.h"
#include "kernels/augment.h"

namespace crescendo {

// Mean and standard deviation of each channel, for pixels in 0..255.
struct Normalisation {
  std::array<float, 3> mean{}, deviation{};
};

// The normalised value of each of the 256 bytes, for each channel.
using PixelTable = std::array<std::array<float, 256>, 3>;
PixelTable pixel_table(const Normalisation&);

// An image [h,w,3] or [3,h,w] of bytes. Channel c of pixel i (row by row) is bytes[i * pixel + c * channel].
struct ImageView {
  const uint8_t* bytes;
  int64_t pixel, channel;  // strides, in bytes

  static ImageView interleaved(const uint8_t* bytes) { return {bytes, 3, 1}; }
  static ImageView planar(const uint8_t* bytes, const ImageSize& size) {
    return {bytes, 1, size.height * size.width};
  }
};

// Writes the augmented and normalised image to pixels [h,w,3]. Height and width must exceed kCropPadding.
void write_augmented(const ImageView& image, const ImageSize&, const Augmentation&, const PixelTable&,
                     float* pixels);

}  // namespace crescendo
