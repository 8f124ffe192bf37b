// What of a picture an image shows: at random in training, the centre in evaluation.
#pragma once

#include "data/dataset.h"
#include "data/resample.h"

namespace crescendo {

// A recipe: how training images are drawn, what evaluation shows, and what pixels are normalised by.
struct CropRecipe {
  double least_area = 0.08;                              // of the picture; the most is all of it
  double least_aspect = 3.0 / 4, most_aspect = 4.0 / 3;  // width : height
  bool log_aspect = true;                                // uniform in its logarithm, otherwise in itself
  float brightness = 0;                                  // at most so much is added or taken away
  float least_saturation = 1, most_saturation = 1;
  // Evaluation: the square of 224/256 of the short side, or 7/8 of both sides, squeezed into a square.
  bool squeeze = false;
  Normalisation normalisation;
};

// Goyal et al., "Accurate, Large Minibatch SGD" (2017), which is what torchvision trains with; and TF-slim's
// for Inception networks.
CropRecipe goyal_recipe();
CropRecipe inception_recipe();

struct PictureCrop {
  Box box;           // in pixels of the picture
  Rectangle bounds;  // that the filter may look into
  bool flip = false;
  ColourChange colour;
};

// A pure function of its arguments. Ten tries at an area and an aspect that fit; failing those, the largest
// centre with an aspect that is allowed. The filter sees the crop only, as if it were a picture of its own.
PictureCrop random_crop(const CropRecipe& recipe, int64_t width, int64_t height, const SampleKey& key,
                        int64_t index);

// For images of size x size. The filter sees the picture around the crop.
PictureCrop centre_crop(const CropRecipe& recipe, int64_t width, int64_t height, int64_t size);

PictureCrop whole_picture(int64_t width, int64_t height);

}  // namespace crescendo
