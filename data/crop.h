// Chooses the part of a picture that an image shows: random in training, the centre in evaluation.
#pragma once

#include "data/dataset.h"
#include "data/resample.h"

namespace crescendo {

// A recipe for images: how they are cut out of pictures, in training and evaluation, and normalised.
struct CropRecipe {
  // Training: the crop's share of the picture's area is uniform in [least_area, 1], and its width : height is
  // uniform in [least_aspect, most_aspect] (with log_aspect, its logarithm is uniform).
  double least_area = 0.08;
  double least_aspect = 3.0 / 4, most_aspect = 4.0 / 3;
  bool log_aspect = true;
  float brightness = 0;                             // a number in [-brightness, brightness] is added
  float least_saturation = 1, most_saturation = 1;  // range of the factor of HSV's saturation
  // Evaluation: the central square with a side of 224/256 of the short side. With `squeeze`: the central 7/8
  // of both sides, resized to a square.
  bool squeeze = false;
  Normalisation normalisation;
};

// Returns the recipe of Goyal et al., "Accurate, Large Minibatch SGD" (2017), which torchvision uses too.
CropRecipe goyal_recipe();
// Returns TF-slim's recipe for Inception networks.
CropRecipe inception_recipe();

struct PictureCrop {
  Box box;           // the part that is shown, in pixels of the picture
  Rectangle bounds;  // the part that the resampling filter may read
  bool flip = false;
  ColourChange colour;
};

// Draws the crop of a training image: a pure function of its arguments. Tries ten times to draw an area and
// an aspect that fit into the picture, then takes the largest central part with an allowed aspect. The filter
// reads nothing outside the crop, as if the crop were a picture of its own.
PictureCrop random_crop(const CropRecipe& recipe, int64_t width, int64_t height, const SampleKey& key,
                        int64_t index);

// Returns the crop of an evaluation image of size x size. The filter also reads pixels around the crop.
PictureCrop centre_crop(const CropRecipe& recipe, int64_t width, int64_t height, int64_t size);

PictureCrop whole_picture(int64_t width, int64_t height);

}  // namespace crescendo
