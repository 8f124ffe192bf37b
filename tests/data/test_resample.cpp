#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/resample.h"
#include "picture_fixture.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

constexpr Normalisation kPlain{{0, 0, 0}, {1, 1, 1}};

ResampleOptions whole(const Drawn& drawn, int64_t height, int64_t width) {
  ResampleOptions options;
  options.box = {0, 0, static_cast<double>(drawn.width), static_cast<double>(drawn.height)};
  options.bounds = {0, 0, drawn.width, drawn.height};
  options.size = {height, width, 3};
  options.normalisation = kPlain;
  return options;
}

std::vector<float> resampled(const Drawn& drawn, const ResampleOptions& options) {
  constexpr float kGuard = 1234;
  std::vector<float> pixels(static_cast<size_t>(options.size.elements() + 1), kGuard);
  resample(drawn.view(), options, pixels.data());
  CHECK(pixels.back() == kGuard);
  pixels.pop_back();
  return pixels;
}

// The reference, by definition: the weighted mean of all pixels within the bounds, in double.
double reference(const Drawn& drawn, const ResampleOptions& o, int64_t y, int64_t x, int c) {
  const double scale_x = o.box.width / static_cast<double>(o.size.width);
  const double scale_y = o.box.height / static_cast<double>(o.size.height);
  const double centre_x = o.box.left + (static_cast<double>(x) + 0.5) * scale_x;
  const double centre_y = o.box.top + (static_cast<double>(y) + 0.5) * scale_y;
  double sum = 0, weights = 0;
  for (int64_t j = o.bounds.top; j < o.bounds.top + o.bounds.height; ++j)
    for (int64_t i = o.bounds.left; i < o.bounds.left + o.bounds.width; ++i) {
      const double distance_x = std::abs(static_cast<double>(i) + 0.5 - centre_x) / std::max(scale_x, 1.0);
      const double distance_y = std::abs(static_cast<double>(j) + 0.5 - centre_y) / std::max(scale_y, 1.0);
      const double weight = std::max(0.0, 1 - distance_x) * std::max(0.0, 1 - distance_y);
      sum += weight * drawn.at(i, j)[c];
      weights += weight;
    }
  return sum / weights;
}

// Returns the tolerance. The weights add up to 1 in each direction, so partial sums stay below 255. Each
// rounding, of a sum or of a weight, changes the result by at most half an epsilon of 255.
double tolerance(const ResampleOptions& o) {
  const double taps = 2 * std::max(o.box.width / static_cast<double>(o.size.width), 1.0) + 2 +
                      2 * std::max(o.box.height / static_cast<double>(o.size.height), 1.0) + 2;
  return 4 * static_cast<double>(std::numeric_limits<float>::epsilon()) * std::sqrt(taps) * 255;
}

void check_reference(const Drawn& drawn, const ResampleOptions& options) {
  CAPTURE(options.size.width);
  CAPTURE(options.box.left);
  const std::vector<float> pixels = resampled(drawn, options);
  for (int64_t y = 0; y < options.size.height; ++y)
    for (int64_t x = 0; x < options.size.width; ++x)
      for (int c = 0; c < 3; ++c) {
        const float pixel = pixels[static_cast<size_t>(3 * (y * options.size.width + x) + c)];
        const double expected = reference(drawn, options, y, x, c);
        if (!(std::abs(static_cast<double>(pixel) - expected) <= tolerance(options)))
          FAIL_CHECK("row ", y, ", column ", x, ": ", pixel, ", expected ", expected);
      }
}

}  // namespace

TEST_CASE("a picture of the image's size is copied") {
  const Drawn drawn = draw(37, 21, 1);
  const std::vector<float> pixels = resampled(drawn, whole(drawn, 21, 37));
  CHECK(std::equal(pixels.begin(), pixels.end(), drawn.bytes.begin(), drawn.bytes.end()));
}

TEST_CASE("images are weighted means of pixels, whatever the sizes") {
  for (const int64_t width : {1, 2, 5, 6, 16, 33, 90})
    for (const int64_t outputs : {1, 2, 7, 31}) {
      const Drawn drawn = draw(width, 23, 2);
      check_reference(drawn, whole(drawn, outputs, 9));
      check_reference(drawn, whole(drawn, 11, outputs));
    }
}

TEST_CASE("a box may lie between pixels, and the filter does not look beyond the bounds") {
  Drawn drawn = draw(60, 40, 3);
  for (const double offset : {0.0, 0.3, 1.5}) {
    ResampleOptions options = whole(drawn, 13, 17);
    options.bounds = {7, 5, 31, 22};
    options.box = {7 + offset, 5 + offset / 2, 28.25, 20.5};
    check_reference(drawn, options);
    const std::vector<float> before = resampled(drawn, options);
    Drawn around = drawn;
    for (int64_t y = 0; y < around.height; ++y)
      for (int64_t x = 0; x < around.width; ++x)
        if (x < 7 || x >= 38 || y < 5 || y >= 27)
          around.bytes[static_cast<size_t>(3 * (y * around.width + x))] = 255;
    CHECK(resampled(around, options) == before);
  }
}

TEST_CASE("a flipped image is the mirror of the other") {
  const Drawn drawn = draw(50, 40, 4);
  ResampleOptions options = whole(drawn, 16, 20);
  const std::vector<float> pixels = resampled(drawn, options);
  options.flip = true;
  const std::vector<float> flipped = resampled(drawn, options);
  for (size_t y = 0; y < 16; ++y)
    for (size_t x = 0; x < 20; ++x)
      for (size_t c = 0; c < 3; ++c)
        CHECK(flipped[3 * (20 * y + x) + c] == pixels[3 * (20 * y + 19 - x) + c]);
}

TEST_CASE("stripes of one pixel become grey and do not alias") {
  Drawn drawn{160, 160, {}};
  for (int64_t i = 0; i < 160 * 160; ++i)
    for (int c = 0; c < 3; ++c) drawn.bytes.push_back((i % 160 + i / 160) % 2 == 0 ? 255 : 0);
  for (const float pixel : resampled(drawn, whole(drawn, 20, 20)))
    CHECK(std::abs(pixel - 127.5F) <= 255.0F / 160);  // at the edges, one colour has a pixel more
}

TEST_CASE("each channel is normalised, also if colours change") {
  const Drawn drawn = draw(40, 40, 5);
  ResampleOptions options = whole(drawn, 12, 12);
  const std::vector<float> plain = resampled(drawn, options);
  options.normalisation = {{10, 20, 30}, {2, 3, 4}};
  for (const float brightness : {0.0F, 1e-9F}) {  // 1e-9 changes nothing, but takes that path
    options.colour.brightness = brightness;
    const std::vector<float> normalised = resampled(drawn, options);
    for (size_t i = 0; i < plain.size(); ++i) {
      const double mean = 10 * static_cast<double>(i % 3 + 1), deviation = static_cast<double>(i % 3 + 2);
      const double expected = (static_cast<double>(plain[i]) - mean) / deviation;
      CHECK(std::abs(static_cast<double>(normalised[i]) - expected) <= 2 * tolerance(options) / deviation);
    }
  }
}

namespace {

// The reference: multiplies HSV's saturation of r, g, b in 0..255, with the textbook conversions.
std::vector<double> saturated(const float* rgb, double factor) {
  const double r = static_cast<double>(rgb[0]) / 255, g = static_cast<double>(rgb[1]) / 255,
               b = static_cast<double>(rgb[2]) / 255;
  const double v = std::max({r, g, b}), chroma = v - std::min({r, g, b});
  double hue = 0;
  if (chroma > 0)
    hue = v == r ? std::fmod((g - b) / chroma + 6, 6) : v == g ? (b - r) / chroma + 2 : (r - g) / chroma + 4;
  const double saturation = std::min(v > 0 ? chroma / v * factor : 0, 1.0), new_chroma = v * saturation;
  const auto channel = [&](double n) {
    const double k = std::fmod(n + hue, 6);
    return 255 * (v - new_chroma * std::clamp(std::min(k, 4 - k), 0.0, 1.0));
  };
  return {channel(5), channel(3), channel(1)};
}

}  // namespace

TEST_CASE("saturation changes as in HSV, brightness stays within 0..255, in either order") {
  const Drawn drawn = draw(64, 64, 6);
  ResampleOptions options = whole(drawn, 16, 16);
  const std::vector<float> plain = resampled(drawn, options);
  for (const float saturation : {0.5F, 1.4F, 5.0F})
    for (const float brightness : {-90.0F, 0.0F, 120.0F})
      for (const bool first : {false, true}) {
        options.colour = {brightness, saturation, first};
        const std::vector<float> changed = resampled(drawn, options);
        for (size_t i = 0; i < plain.size(); i += 3) {
          float rgb[3];
          const auto brighten = [&](const auto& from) {
            for (size_t c = 0; c < 3; ++c)
              rgb[c] = std::clamp(static_cast<float>(from[c]) + brightness, 0.0F, 255.0F);
          };
          std::vector<double> expected;
          if (first) {
            brighten(saturated(plain.data() + i, static_cast<double>(saturation)));
            expected.assign(rgb, rgb + 3);
          } else {
            brighten(plain.data() + i);
            expected = saturated(rgb, static_cast<double>(saturation));
          }
          for (size_t c = 0; c < 3; ++c)  // a factor of up to 5 multiplies the roundings
            CHECK(std::abs(static_cast<double>(changed[i + c]) - expected[c]) <= 5 * tolerance(options));
        }
      }
}
