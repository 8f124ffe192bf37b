#include "data/crop.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"

namespace crescendo {
namespace {

constexpr int kTries = 10;

double between(double low, double high, uint32_t word) { return low + philox_uniform(word) * (high - low); }

int64_t below(int64_t bound, uint32_t word) {
  return static_cast<int64_t>(random_below(word, 0, static_cast<uint64_t>(bound)));
}

void set_crop(PictureCrop& crop, const Rectangle& where) {
  crop.bounds = where;
  crop.box = {static_cast<double>(where.left), static_cast<double>(where.top),
              static_cast<double>(where.width), static_cast<double>(where.height)};
}

// Draws area, aspect and position from four random words. Returns false if such a crop does not fit.
bool try_crop(const CropRecipe& recipe, int64_t width, int64_t height, const PhiloxWords& words,
              PictureCrop& crop) {
  const double area =
      static_cast<double>(width) * static_cast<double>(height) * between(recipe.least_area, 1, words.word[0]);
  const double aspect =
      recipe.log_aspect
          ? std::exp(between(std::log(recipe.least_aspect), std::log(recipe.most_aspect), words.word[1]))
          : between(recipe.least_aspect, recipe.most_aspect, words.word[1]);
  const auto w = static_cast<int64_t>(std::nearbyint(std::sqrt(area * aspect)));
  const auto h = static_cast<int64_t>(std::nearbyint(std::sqrt(area / aspect)));
  if (w < 1 || w > width || h < 1 || h > height) return false;
  set_crop(crop, {below(width - w + 1, words.word[2]), below(height - h + 1, words.word[3]), w, h});
  return true;
}

Rectangle largest_centre(const CropRecipe& recipe, int64_t width, int64_t height) {
  const auto w = static_cast<double>(width), h = static_cast<double>(height);
  const auto fitting = [](double pixels, int64_t most) {
    return std::clamp(static_cast<int64_t>(std::nearbyint(pixels)), int64_t{1}, most);
  };
  const int64_t columns = fitting(h * recipe.most_aspect, width);
  const int64_t rows = fitting(w / recipe.least_aspect, height);
  return {(width - columns) / 2, (height - rows) / 2, columns, rows};
}

}  // namespace

CropRecipe goyal_recipe() {
  CropRecipe recipe;
  recipe.normalisation = {{0.485F * 255, 0.456F * 255, 0.406F * 255},
                          {0.229F * 255, 0.224F * 255, 0.225F * 255}};
  return recipe;
}

CropRecipe inception_recipe() {
  CropRecipe recipe;
  recipe.least_area = 0.05;
  recipe.least_aspect = 0.75;
  recipe.most_aspect = 1.33;
  recipe.log_aspect = false;
  recipe.brightness = 32;
  recipe.least_saturation = 0.5;
  recipe.most_saturation = 1.5;
  recipe.squeeze = true;
  recipe.normalisation = {{127.5F, 127.5F, 127.5F}, {127.5F, 127.5F, 127.5F}};
  return recipe;
}

PictureCrop random_crop(const CropRecipe& recipe, int64_t width, int64_t height, const SampleKey& key,
                        int64_t index) {
  const uint64_t philox_key = random_key(key.seed, Purpose::augmentation);
  const auto words = [&](int block) {
    return random_words(philox_key, static_cast<uint64_t>(index), static_cast<uint32_t>(key.epoch),
                        static_cast<uint32_t>(block));
  };
  PictureCrop crop;
  bool found = false;
  for (int i = 1; i <= kTries && !found; ++i) found = try_crop(recipe, width, height, words(i), crop);
  if (!found) set_crop(crop, largest_centre(recipe, width, height));
  const PhiloxWords other = words(0);
  crop.flip = (other.word[0] >> 31) != 0;
  crop.colour.saturation_first = (other.word[0] & 1) != 0;
  crop.colour.brightness = static_cast<float>(between(-recipe.brightness, recipe.brightness, other.word[1]));
  crop.colour.saturation =
      static_cast<float>(between(recipe.least_saturation, recipe.most_saturation, other.word[2]));
  return crop;
}

PictureCrop centre_crop(const CropRecipe& recipe, int64_t width, int64_t height, int64_t size) {
  PictureCrop crop = whole_picture(width, height);
  const auto w = static_cast<double>(width), h = static_cast<double>(height);
  if (recipe.squeeze) {
    crop.box = {w / 16, h / 16, w * 7 / 8, h * 7 / 8};
    return crop;
  }
  // Equals resizing the picture to a whole number of pixels and then cropping at whole pixels.
  const int64_t short_side = size * 256 / 224;
  const int64_t least = std::min(width, height);
  const int64_t columns = short_side * width / least, rows = short_side * height / least;
  const double x = w / static_cast<double>(columns), y = h / static_cast<double>(rows);
  const double left = std::nearbyint(static_cast<double>(columns - size) / 2);
  const double top = std::nearbyint(static_cast<double>(rows - size) / 2);
  crop.box = {left * x, top * y, static_cast<double>(size) * x, static_cast<double>(size) * y};
  return crop;
}

PictureCrop whole_picture(int64_t width, int64_t height) {
  PictureCrop crop;
  set_crop(crop, {0, 0, width, height});
  return crop;
}

}  // namespace crescendo
