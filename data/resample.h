// A rectangle of a picture's bytes, resampled to an image of any size as normalised floats: a triangle filter
// as wide as the reduction, so that nothing aliases. Where the picture grows that is bilinear interpolation.
// The convention of PIL's and torchvision's antialiased BILINEAR.
#pragma once

#include <cstdint>

#include "data/augment.h"

namespace crescendo {

struct Rectangle {
  int64_t left = 0, top = 0, width = 0, height = 0;
  bool operator==(const Rectangle&) const = default;
};
struct Box {
  double left = 0, top = 0, width = 0, height = 0;
};

// Changes of colour on 0..255, kept within that range after each.
struct ColourChange {
  float brightness = 0;  // added
  float saturation = 1;  // what HSV's saturation is multiplied by
  bool saturation_first = false;
  bool changes() const { return brightness != 0 || saturation != 1; }
};

// Bytes [height, width, 3] in red, green, blue.
struct PictureView {
  const uint8_t* bytes;
  int64_t width, height;
};

struct ResampleOptions {
  Box box;           // what the image shows, in pixels of the picture; may lie between pixels
  Rectangle bounds;  // the part of the picture that the filter may see
  ImageSize size;    // of the image; three channels
  bool flip = false;
  ColourChange colour;
  Normalisation normalisation;
};

// picture -> pixels [h,w,3]. The bounds must lie within the picture, and the box within the bounds. Equal
// bits on every processor: no sum depends on the width of its vectors, and none is fused with its product.
void resample(const PictureView& picture, const ResampleOptions& options, float* pixels);

}  // namespace crescendo
