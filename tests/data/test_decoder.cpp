#include <doctest/doctest.h>

#include <cstdlib>

#include "data/picture_set.h"
#include "picture_fixture.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

DecodedPicture decoded(const Bytes& file, const DecodeOptions& options) {
  return decode_picture(file, read_picture_header(file), options);
}

DecodedPicture decoded_whole(const Bytes& file, bool strict = false) {
  return decode_record({.bytes = file}, strict);
}

const uint8_t* at(const DecodedPicture& picture, int64_t x, int64_t y) {
  const Rectangle& region = picture.region;
  return picture.bytes.get() + 3 * ((y - region.top) * region.width + x - region.left);
}

// Returns the largest difference of two pictures
// in the part [left, right) x [top, bottom) of the whole picture.
int largest_difference(const DecodedPicture& a, const DecodedPicture& b, const Rectangle& part) {
  int largest = 0;
  for (int64_t y = part.top; y < part.top + part.height; ++y)
    for (int64_t x = part.left; x < part.left + part.width; ++x)
      for (int c = 0; c < 3; ++c) largest = std::max(largest, std::abs(at(a, x, y)[c] - at(b, x, y)[c]));
  return largest;
}

std::string error_for(const Bytes& file, bool strict) {
  return error_of([&] { decoded_whole(file, strict); });
}

}  // namespace

TEST_CASE("PNG gives back its pixels, whatever the file is called") {
  if (!has_decoder()) return;
  const Drawn drawn = draw(37, 21, 1);
  const DecodedPicture picture = decoded_whole(png_of(drawn));
  CHECK(picture.region == Rectangle{0, 0, 37, 21});
  CHECK(std::equal(drawn.bytes.begin(), drawn.bytes.end(), picture.bytes.get()));
}

TEST_CASE("JPEG gives back its pixels nearly") {
  if (!has_decoder()) return;
  const Drawn drawn = draw(130, 70, 1);
  const DecodedPicture picture = decoded_whole(jpeg_of(drawn));
  CHECK(picture.region == Rectangle{0, 0, 130, 70});
  double difference = 0;
  for (size_t i = 0; i < drawn.bytes.size(); ++i)
    difference += std::abs(drawn.bytes[i] - picture.bytes[i]) / static_cast<double>(drawn.bytes.size());
  CHECK(difference < 4);
}

TEST_CASE("a part of a JPEG has the pixels of the whole, reduced or not") {
  if (!has_decoder()) return;
  const Bytes file = jpeg_of(draw(401, 303, 2));
  for (const int reduction : {1, 2, 4, 8}) {
    const DecodedPicture whole = decoded(file, {.wanted = {0, 0, 401, 303}, .reduction = reduction});
    CHECK(whole.region ==
          Rectangle{0, 0, (401 + reduction - 1) / reduction, (303 + reduction - 1) / reduction});
    for (const Rectangle& wanted : {Rectangle{0, 0, 50, 60}, Rectangle{100, 77, 123, 101},
                                    Rectangle{201, 130, 200, 173}, Rectangle{3, 300, 390, 3}}) {
      const DecodedPicture part = decoded(file, {.wanted = wanted, .reduction = reduction});
      const int64_t left = wanted.left / reduction, top = wanted.top / reduction;
      const Rectangle seen{left, top, (wanted.left + wanted.width) / reduction - left,
                           (wanted.top + wanted.height) / reduction - top};
      CHECK(part.region.left <= seen.left);
      CHECK(part.region.top <= seen.top);
      CHECK(part.region.left + part.region.width >= seen.left + seen.width);
      CHECK(part.region.top + part.region.height >= seen.top + seen.height);
      CHECK(largest_difference(whole, part, seen) == 0);
      CHECK(part.region.height < whole.region.height);
    }
  }
}

TEST_CASE("a reduced JPEG shows the means of the pixels") {
  if (!has_decoder()) return;
  const Drawn drawn = draw(320, 240, 3);
  const DecodedPicture small = decoded(jpeg_of(drawn), {.wanted = {0, 0, 320, 240}, .reduction = 4});
  for (int64_t y = 1; y < 59; ++y)
    for (int64_t x = 1; x < 79; ++x) {
      double mean = 0;
      for (int64_t i = 0; i < 16; ++i) mean += drawn.at(4 * x + i % 4, 4 * y + i / 4)[0] / 16.0;
      CHECK(std::abs(mean - at(small, x, y)[0]) < 8);  // the loss by JPEG and its halved colour resolution
    }
}

TEST_CASE("EXIF turns pictures upright, all eight ways") {
  if (!has_decoder()) return;
  const Bytes stored = jpeg_of(draw(64, 48, 4));
  const DecodedPicture plain = decoded_whole(stored);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    CAPTURE(orientation);
    const Bytes file = turned(stored, orientation);
    const DecodedPicture upright = decoded_whole(file);
    const bool on_its_side = orientation >= 5;
    CHECK(upright.region == Rectangle{0, 0, on_its_side ? 48 : 64, on_its_side ? 64 : 48});
    // The side of the upright picture that shows stored row 0 and column 0 (TIFF 6.0, Orientation).
    const bool row0_at_the_end = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const bool column0_at_the_end =
        orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    for (int64_t y = 0; y < 48; ++y)
      for (int64_t x = 0; x < 64; ++x) {
        const int64_t row = row0_at_the_end ? 47 - y : y, column = column0_at_the_end ? 63 - x : x;
        const uint8_t* there = on_its_side ? at(upright, row, column) : at(upright, column, row);
        for (int c = 0; c < 3; ++c) CHECK(there[c] == at(plain, x, y)[c]);
      }
  }
}

TEST_CASE("CMYK becomes red, green and blue") {
  if (!has_decoder()) return;
  const Bytes file = cmyk_jpeg();
  CHECK(read_picture_header(file).components == 4);
  const DecodedPicture picture = decoded_whole(file, true);
  const auto is = [&](int64_t x, int64_t y, int r, int g, int b) {
    const uint8_t* p = at(picture, x, y);
    return std::abs(p[0] - r) < 8 && std::abs(p[1] - g) < 8 && std::abs(p[2] - b) < 8;
  };
  CHECK(is(3, 3, 0, 255, 0));
  CHECK(is(12, 3, 255, 255, 0));
  CHECK(is(3, 12, 0, 255, 255));
  CHECK(is(12, 12, 255, 255, 255));
}

TEST_CASE("pictures of one pixel are pictures") {
  if (!has_decoder()) return;
  for (const Bytes& file : {png_of(draw(1, 1, 0)), jpeg_of(draw(1, 1, 0)), jpeg_of(draw(1, 300, 0))})
    CHECK(decoded_whole(file, true).region.width == 1);
}

TEST_CASE("a file that is cut off anywhere is rejected") {
  if (!has_decoder()) return;
  for (const Bytes& whole : {jpeg_of(draw(64, 48, 5)), png_of(draw(24, 18, 5))}) {
    CHECK(error_for(whole, true).empty());
    for (size_t sixteenth = 0; sixteenth < 16; ++sixteenth) {
      CAPTURE(sixteenth);
      const auto length = static_cast<int64_t>(whole.size() * sixteenth / 16);
      CHECK_FALSE(error_for(Bytes(whole.begin(), whole.begin() + length), false).empty());
    }
    CHECK(error_for(Bytes(whole.begin(), whole.end() - 9), false) ==
          "is cut off: the end of its data is missing");
  }
}

TEST_CASE("corrupt data is found in strict mode") {
  if (!has_decoder()) return;
  Bytes file = jpeg_of(draw(200, 150, 6));
  const auto middle = file.begin() + static_cast<int64_t>(file.size() / 2);
  std::fill(middle, middle + 40, uint8_t{0xa5});
  middle[20] = 0xff;  // a marker in the middle of the data
  middle[21] = 0xd4;
  CHECK(error_for(file, true).starts_with("is damaged: "));
  CHECK(error_for(file, false).empty());
  Bytes stray =
      jpeg_of(draw(200, 150, 6));  // bytes before the last marker are harmless; ImageNet has such files
  stray.insert(stray.end() - 2, 12, uint8_t{0});
  CHECK(error_for(stray, true).empty());
}
