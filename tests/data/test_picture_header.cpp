#include <doctest/doctest.h>

#include "base/rng.h"
#include "data/picture_header.h"
#include "picture_fixture.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

// Returns a JPEG up to its frame header, with a comment segment before it.
Bytes jpeg_header_of(uint32_t width, uint32_t height, uint32_t components = 3, uint8_t frame = 0xc0) {
  Bytes file{0xff, 0xd8, 0xff, 0xfe, 0, 5, 'a', 'b', 'c', 0xff, 0xff, frame};
  append_number(file, 8 + 3 * components, 2);
  file.push_back(8);
  append_number(file, height, 2);
  append_number(file, width, 2);
  append_number(file, components, 1);
  for (uint32_t i = 0; i < components; ++i) append_number(file, (i + 1) << 16 | 0x1100, 3);
  return file;
}

std::string error_for(const Bytes& file) {
  return error_of([&] { read_picture_header(file); });
}

}  // namespace

TEST_CASE("sizes are read from headers of JPEG and PNG") {
  for (const uint8_t frame : {0xc0, 0xc1, 0xc2}) {
    const PictureHeader header = read_picture_header(jpeg_header_of(640, 480, 1, frame));
    CHECK(header.format == PictureFormat::jpeg);
    CHECK(header.width == 640);
    CHECK(header.height == 480);
    CHECK(header.components == 1);
    CHECK(header.orientation == 1);
  }
  const PictureHeader header = read_picture_header(png_header_of(70000, 3));
  CHECK(header.format == PictureFormat::png);
  CHECK(header.width == 70000);
  CHECK(header.height == 3);
}

TEST_CASE("orientation is read in both byte orders, and is 1 if it is invalid") {
  for (const bool big_endian : {false, true})
    for (int orientation = 0; orientation <= 9; ++orientation) {
      CAPTURE(orientation);
      const PictureHeader header =
          read_picture_header(turned(jpeg_header_of(30, 20), orientation, big_endian));
      const bool sensible = orientation >= 1 && orientation <= 8;
      CHECK(header.orientation == (sensible ? orientation : 1));
      CHECK(header.upright_width() == (sensible && orientation >= 5 ? 20 : 30));
    }
}

TEST_CASE("headers of pictures that are too large are rejected") {
  CHECK(error_for(jpeg_header_of(65500, 65500)) == "has 65500 x 65500 pixels, expected at most 100000000");
  CHECK(error_for(png_header_of(0xffffffff, 0xffffffff)).starts_with("has 4294967295 x 4294967295 pixels"));
  CHECK(error_for(jpeg_header_of(10000, 10000)).empty());
  CHECK(error_for(jpeg_header_of(10001, 10000)).starts_with("has 10001 x 10000"));
  CHECK(error_for(jpeg_header_of(0, 5)) == "has 0 x 5 pixels");
  CHECK(error_for(png_header_of(5, 0)) == "has 5 x 0 pixels");
}

TEST_CASE("files that are not pictures are rejected") {
  CHECK(error_for({}) == "is empty");
  CHECK(error_for({'G', 'I', 'F', '8'}) == "is neither JPEG nor PNG");
  CHECK(error_for({0xff, 0xd8, 0xff, 0xd9}) == "is damaged in its header");
  Bytes no_chunk = png_header_of(4, 4);
  no_chunk[12] = 'X';
  CHECK(error_for(no_chunk) == "is damaged in its header");
}

TEST_CASE("a header that is cut off anywhere is rejected") {
  for (const Bytes& whole : {turned(jpeg_header_of(30, 20), 6), png_header_of(30, 20)})
    for (size_t length = 8; length < whole.size(); ++length) {
      CAPTURE(length);
      CHECK(error_for(Bytes(whole.begin(), whole.begin() + static_cast<int64_t>(length))) ==
            "ends within its header");
    }
}

// AddressSanitizer reports reads beyond the end of the bytes.
TEST_CASE("headers with any bytes changed are read or rejected") {
  const Bytes whole = turned(jpeg_header_of(30, 20), 6);
  int64_t refused = 0;
  for (uint32_t i = 0; i < 20000; ++i) {
    Bytes file = whole;
    const PhiloxWords words = random_words(5, i, 0);
    for (const uint32_t word : words.word)
      file[2 + (word >> 8) % (file.size() - 2)] = static_cast<uint8_t>(word);
    refused += error_for(file).empty() ? 0 : 1;
  }
  CHECK(refused > 0);
  CHECK(refused < 20000);
}

TEST_CASE("the end marker of a file is found, and its absence too") {
  Bytes jpeg = jpeg_header_of(8, 8);
  const PictureHeader header = read_picture_header(jpeg);
  CHECK_FALSE(has_end_mark(jpeg, header));
  for (const uint8_t byte : {0x12, 0xff, 0xd9, 0, 0})
    jpeg.push_back(byte);  // some files have zeros behind the marker
  CHECK(has_end_mark(jpeg, header));
  Bytes png = png_of(draw(3, 2, 0));
  CHECK(has_end_mark(png, read_picture_header(png)));
  png.resize(png.size() - 9);
  CHECK_FALSE(has_end_mark(png, read_picture_header(png)));
}
