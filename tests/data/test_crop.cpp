#include <doctest/doctest.h>

#include <cmath>

#include "data/crop.h"

using namespace crescendo;

namespace {

bool same(const PictureCrop& a, const PictureCrop& b) {
  return a.bounds == b.bounds && a.flip == b.flip && a.colour.brightness == b.colour.brightness &&
         a.colour.saturation == b.colour.saturation;
}

bool within(const Rectangle& crop, int64_t width, int64_t height) {
  return crop.left >= 0 && crop.top >= 0 && crop.width > 0 && crop.height > 0 &&
         crop.left + crop.width <= width && crop.top + crop.height <= height;
}

}  // namespace

TEST_CASE("a random crop is a function of seed, epoch and image") {
  const auto crop = [](uint64_t seed, int64_t epoch, int64_t index) {
    return random_crop(inception_recipe(), 500, 375, {seed, epoch}, index);
  };
  CHECK(same(crop(1, 2, 3), crop(1, 2, 3)));
  CHECK_FALSE(same(crop(1, 2, 3), crop(2, 2, 3)));
  CHECK_FALSE(same(crop(1, 2, 3), crop(1, 3, 3)));
  CHECK_FALSE(same(crop(1, 2, 3), crop(1, 2, 4)));
}

TEST_CASE("random crops have the areas, aspects, flips and colours of their recipe") {
  constexpr int64_t kCrops = 20000, kWidth = 500, kHeight = 375;
  for (const bool goyal : {true, false}) {
    const CropRecipe recipe = goyal ? goyal_recipe() : inception_recipe();
    double area = 0, log_aspect = 0, brightness = 0;
    int64_t flips = 0;
    for (int64_t i = 0; i < kCrops; ++i) {
      const PictureCrop crop = random_crop(recipe, kWidth, kHeight, {7, 0}, i);
      REQUIRE(within(crop.bounds, kWidth, kHeight));
      CHECK(crop.box.left == static_cast<double>(crop.bounds.left));
      CHECK(crop.box.height == static_cast<double>(crop.bounds.height));
      const auto w = static_cast<double>(crop.bounds.width), h = static_cast<double>(crop.bounds.height);
      // Rounding to whole pixels changes a side by at most half a pixel of at least 80.
      CHECK(w * h >= recipe.least_area * kWidth * kHeight * 0.98);
      CHECK(w / h >= recipe.least_aspect * 0.98);
      CHECK(w / h <= recipe.most_aspect * 1.02);
      CHECK(std::abs(crop.colour.brightness) <= recipe.brightness);
      CHECK(crop.colour.saturation >= recipe.least_saturation);
      CHECK(crop.colour.saturation <= recipe.most_saturation);
      area += w * h / (kWidth * kHeight * kCrops);
      log_aspect += std::log(w / h) / kCrops;
      brightness += static_cast<double>(crop.colour.brightness) / kCrops;
      flips += crop.flip ? 1 : 0;
    }
    // Four standard errors, of a fair coin and of a brightness that is uniform in +-32.
    const double root = std::sqrt(static_cast<double>(kCrops));
    CHECK(std::abs(static_cast<double>(flips) - kCrops / 2.0) <= 4 * 0.5 * root);
    CHECK(std::abs(brightness) <= 4 * static_cast<double>(recipe.brightness) / std::sqrt(3.0) / root);
    // Most tries that do not fit are large, so the mean area is below the mean of all tries.
    CHECK(area < (1 + recipe.least_area) / 2);
    CHECK(area > 0.4);
    // Wide crops fit more often, since the picture is wider than high.
    CHECK(log_aspect > 0);
    CHECK(log_aspect < 0.1);
  }
}

TEST_CASE("pictures too thin for any try show their largest centre") {
  const PictureCrop wide = random_crop(goyal_recipe(), 3000, 3, {1, 0}, 0);
  CHECK(wide.bounds == Rectangle{1498, 0, 4, 3});
  const PictureCrop high = random_crop(goyal_recipe(), 2, 500, {1, 0}, 0);
  CHECK(high.bounds == Rectangle{0, 248, 2, 3});
  CHECK(random_crop(goyal_recipe(), 1, 1, {1, 0}, 0).bounds == Rectangle{0, 0, 1, 1});
}

TEST_CASE("the centre crop equals resizing and cropping at whole pixels") {
  // 500 x 375 becomes 341 x 256; (341 - 224) / 2 is 58.5, which torchvision rounds to 58.
  const PictureCrop crop = centre_crop(goyal_recipe(), 500, 375, 224);
  CHECK(crop.box.left == doctest::Approx(58 * 500.0 / 341));
  CHECK(crop.box.top == doctest::Approx(16 * 375.0 / 256));
  CHECK(crop.box.width == doctest::Approx(224 * 500.0 / 341));
  CHECK(crop.box.height == doctest::Approx(224 * 375.0 / 256));
  CHECK(crop.bounds == Rectangle{0, 0, 500, 375});
  CHECK_FALSE(crop.flip);
  CHECK_FALSE(crop.colour.changes());
}

TEST_CASE("inception's centre is seven eighths of both sides") {
  const PictureCrop crop = centre_crop(inception_recipe(), 800, 400, 299);
  CHECK(crop.box.left == 50);
  CHECK(crop.box.top == 25);
  CHECK(crop.box.width == 700);
  CHECK(crop.box.height == 350);
}
