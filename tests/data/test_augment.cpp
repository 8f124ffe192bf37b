#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <random>
#include <vector>

#include "base/rng.h"
#include "data/augment.h"

namespace crescendo {
namespace {

std::vector<uint8_t> any_image(const ImageSize& size) {
  std::mt19937 generator(5);
  std::vector<uint8_t> image(static_cast<size_t>(size.elements()));
  for (uint8_t& byte : image) byte = static_cast<uint8_t>(generator());
  return image;
}

// The reference: mirrors, pads and crops whole images, one step after another.
std::vector<float> reference(const std::vector<uint8_t>& image, const ImageSize& size,
                             const Augmentation& augmentation, const Normalisation& normalisation) {
  const int64_t h = size.height, w = size.width, padded_h = h + 8, padded_w = w + 8;
  std::vector<uint8_t> mirrored(image), padded(static_cast<size_t>(padded_h * padded_w * 3));
  const auto at = [](int64_t y, int64_t x, int64_t c, int64_t width) {
    return static_cast<size_t>((y * width + x) * 3 + c);
  };
  for (int64_t y = 0; y < h; ++y)
    for (int64_t x = 0; x < w; ++x)
      for (int64_t c = 0; c < 3; ++c)
        mirrored[at(y, x, c, w)] = image[at(y, augmentation.flip ? w - 1 - x : x, c, w)];
  for (int64_t y = 0; y < padded_h; ++y)
    for (int64_t x = 0; x < padded_w; ++x)
      for (int64_t c = 0; c < 3; ++c) {
        int64_t from_y = std::abs(y - 4), from_x = std::abs(x - 4);
        while (from_y >= h) from_y -= 2 * (from_y - h + 1);
        while (from_x >= w) from_x -= 2 * (from_x - w + 1);
        padded[at(y, x, c, padded_w)] = mirrored[at(from_y, from_x, c, w)];
      }
  std::vector<float> pixels(image.size());
  for (int64_t y = 0; y < h; ++y)
    for (int64_t x = 0; x < w; ++x)
      for (size_t c = 0; c < 3; ++c) {
        const uint8_t value =
            padded[at(y + augmentation.top, x + augmentation.left, static_cast<int64_t>(c), padded_w)];
        pixels[at(y, x, static_cast<int64_t>(c), w)] =
            (static_cast<float>(value) - normalisation.mean[c]) / normalisation.deviation[c];
      }
  return pixels;
}

// Converts bytes [h,w,3] to [3,h,w].
std::vector<uint8_t> planar(const std::vector<uint8_t>& image, const ImageSize& size) {
  const auto plane = static_cast<size_t>(size.height * size.width);
  std::vector<uint8_t> planes(image.size());
  for (size_t i = 0; i < image.size(); ++i) planes[i % 3 * plane + i / 3] = image[i];
  return planes;
}

}  // namespace

TEST_CASE("all 162 outcomes equal mirroring, padding and cutting one after the other") {
  const Normalisation normalisation{{125.3F, 123.0F, 113.9F}, {63.0F, 62.1F, 66.7F}};
  const PixelTable table = pixel_table(normalisation);
  for (const ImageSize size : {ImageSize{32, 32, 3}, ImageSize{7, 11, 3}, ImageSize{5, 5, 3}}) {
    const std::vector<uint8_t> image = any_image(size), planes = planar(image, size);
    for (const bool flip : {false, true})
      for (int64_t top = 0; top <= 8; ++top)
        for (int64_t left = 0; left <= 8; ++left) {
          const Augmentation augmentation{flip, top, left};
          std::vector<float> pixels(image.size(), NAN), from_planes(image.size(), NAN);
          write_augmented(ImageView::interleaved(image.data()), size, augmentation, table, pixels.data());
          write_augmented(ImageView::planar(planes.data(), size), size, augmentation, table,
                          from_planes.data());
          CAPTURE(flip);
          CAPTURE(top);
          CAPTURE(left);
          CHECK(pixels == reference(image, size, augmentation, normalisation));
          CHECK(from_planes == pixels);
        }
  }
}

TEST_CASE("the default augmentation changes nothing") {
  const ImageSize size{32, 32, 3};
  const std::vector<uint8_t> image = any_image(size);
  std::vector<float> pixels(image.size());
  write_augmented(ImageView::interleaved(image.data()), size, {}, pixel_table({{0, 0, 0}, {1, 1, 1}}),
                  pixels.data());
  for (size_t i = 0; i < image.size(); ++i) REQUIRE(pixels[i] == image[i]);
}

TEST_CASE("outcomes are uniform: half flipped, each of 81 crops equally often") {
  const uint64_t key = random_key(1, Purpose::augmentation);
  std::map<std::pair<int64_t, int64_t>, int> crops;
  constexpr int kDraws = 81 * 1000;
  int flips = 0;
  for (int i = 0; i < kDraws; ++i) {
    const Augmentation augmentation = draw_augmentation(key, i / 10000, i % 10000);
    flips += augmentation.flip ? 1 : 0;
    ++crops[{augmentation.top, augmentation.left}];
  }
  CHECK(std::abs(flips - kDraws / 2) < 5 * std::sqrt(kDraws / 4.0));  // 5 standard deviations
  CHECK(crops.size() == 81);
  double chi_squared = 0;
  for (const auto& [crop, count] : crops) {
    CHECK((crop.first >= 0 && crop.first <= 8 && crop.second >= 0 && crop.second <= 8));
    chi_squared += (count - 1000.0) * (count - 1000.0) / 1000.0;
  }
  CHECK(std::abs(chi_squared - 80) < 5 * std::sqrt(2 * 80.0));
}

TEST_CASE("an outcome depends on seed, epoch and index, and on nothing else") {
  const auto same = [](uint64_t seed, int64_t epoch, int64_t step) {
    int equal = 0;
    for (int64_t i = 0; i < 1000; ++i) {
      const Augmentation a = draw_augmentation(random_key(1, Purpose::augmentation), 0, i);
      const Augmentation b = draw_augmentation(random_key(seed, Purpose::augmentation), epoch, i + step);
      equal += a.flip == b.flip && a.top == b.top && a.left == b.left ? 1 : 0;
    }
    return equal;
  };
  CHECK(same(1, 0, 0) == 1000);
  for (const int equal : {same(2, 0, 0), same(1, 1, 0), same(1, 0, 1)})
    CHECK(equal < 30);  // 1000 / 162 by chance
}

}  // namespace crescendo
