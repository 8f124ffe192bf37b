// Resizes a rectangle of a picture to an image of any size, and normalises it. The triangle filter is as wide
// as the reduction, so that nothing aliases; for enlargements it is bilinear interpolation. The convention
// is that of PIL's and torchvision's antialiased BILINEAR.
#pragma once

#include <cstdint>

#include "data/augment.h"

namespace crescendo {

// A part of a picture in whole pixels.
struct Rectangle {
  int64_t left = 0, top = 0, width = 0, height = 0;
  bool operator==(const Rectangle&) const = default;
};
// A part of a picture whose edges may lie between pixels.
struct Box {
  double left = 0, top = 0, width = 0, height = 0;
};

// Changes of brightness and saturation, for pixels in 0..255. Each change clamps to that range.
struct ColourChange {
  float brightness = 0;  // is added to each channel
  float saturation = 1;  // multiplies HSV's saturation
  bool saturation_first = false;
  bool changes() const { return brightness != 0 || saturation != 1; }
};

// A picture as bytes [height, width, 3], RGB.
struct PictureView {
  const uint8_t* bytes;
  int64_t width, height;
};

struct ResampleOptions {
  Box box;           // part of the picture that the image shows
  Rectangle bounds;  // part of the picture that the filter may read
  ImageSize size;    // size of the image; three channels
  bool flip = false;
  ColourChange colour;
  Normalisation normalisation;
};

// Resamples a picture to pixels [h,w,3]. The bounds must lie within the picture and the box within the
// bounds. The result has equal bits on every processor: no sum depends on the vector width, and no
// multiply-add is fused.
void resample(const PictureView& picture, const ResampleOptions& options, float* pixels);

}  // namespace crescendo
