// Draws pictures for tests and writes them as PNG or JPEG. They are smooth, so that JPEG loses little.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "data/decoder.h"
#include "data/picture_header.h"
#include "support/temporary_folder.h"

namespace crescendo::test {

using Bytes = std::vector<uint8_t>;

struct Drawn {
  int64_t width, height;
  Bytes bytes;  // [height, width, 3]
  PictureView view() const { return {bytes.data(), width, height}; }
  const uint8_t* at(int64_t x, int64_t y) const { return bytes.data() + 3 * (y * width + x); }
};

// Draws waves a few pixels long. Each `number` has another phase.
inline Drawn draw(int64_t width, int64_t height, int number) {
  Drawn drawn{width, height, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        drawn.bytes.push_back(static_cast<uint8_t>(
            std::lround(128 + 100 * std::sin(0.05 * static_cast<double>(x * (c + 1) + 2 * y) + number))));
  return drawn;
}

inline void append(Bytes& to, const std::string& text) {
  for (const char c : text) to.push_back(static_cast<uint8_t>(c));
}
inline void append_number(Bytes& to, uint32_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) to.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

inline uint32_t crc32_of(const uint8_t* data, size_t size) {
  uint32_t crc = ~0U;
  for (size_t i = 0; i < size; ++i) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1)));
  }
  return ~crc;
}

inline void append_chunk(Bytes& png, const std::string& kind, const Bytes& content) {
  append_number(png, static_cast<uint32_t>(content.size()), 4);
  const size_t begin = png.size();
  append(png, kind);
  png.insert(png.end(), content.begin(), content.end());
  append_number(png, crc32_of(png.data() + begin, png.size() - begin), 4);
}

inline Bytes png_header_of(uint32_t width, uint32_t height) {
  Bytes png, content;
  append(png, "\x89PNG\r\n\x1a\n");
  append_number(content, width, 4);
  append_number(content, height, 4);
  append(content, std::string("\x08\x02\0\0\0", 5));
  append_chunk(png, "IHDR", content);
  return png;
}

// Writes deflate data without compression: one stored block per row.
inline Bytes png_of(const Drawn& drawn) {
  Bytes png = png_header_of(static_cast<uint32_t>(drawn.width), static_cast<uint32_t>(drawn.height));
  Bytes stream{0x78, 0x01};
  uint32_t a = 1, b = 0;  // Adler-32
  for (int64_t y = 0; y < drawn.height; ++y) {
    const auto length = static_cast<uint16_t>(3 * drawn.width + 1);
    const auto inverted = static_cast<uint16_t>(~length);
    for (const int byte :
         {y + 1 == drawn.height ? 1 : 0, length & 255, length >> 8, inverted & 255, inverted >> 8})
      stream.push_back(static_cast<uint8_t>(byte));
    const size_t begin = stream.size();
    stream.push_back(0);
    stream.insert(stream.end(), drawn.at(0, y), drawn.at(0, y) + 3 * drawn.width);
    for (size_t i = begin; i < stream.size(); ++i) {
      a = (a + stream[i]) % 65521;
      b = (b + a) % 65521;
    }
  }
  append_number(stream, b << 16 | a, 4);
  append_chunk(png, "IDAT", stream);
  append_chunk(png, "IEND", {});
  return png;
}

// Returns the JPEG with an EXIF orientation added.
inline Bytes turned(const Bytes& jpeg, int orientation, bool big_endian = false) {
  Bytes exif;
  const auto number = [&](uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i)
      exif.push_back(static_cast<uint8_t>(value >> (8 * (big_endian ? bytes - 1 - i : i))));
  };
  append(exif, std::string("Exif\0\0", 6) + (big_endian ? "MM" : "II"));
  number(42, 2);
  number(8, 4);
  number(1, 2);
  number(0x0112, 2);
  number(3, 2);
  number(1, 4);
  number(static_cast<uint32_t>(orientation), 2);
  number(0, 2);
  number(0, 4);
  Bytes file{0xff, 0xd8, 0xff, 0xe1};
  append_number(file, static_cast<uint32_t>(exif.size() + 2), 2);
  file.insert(file.end(), exif.begin(), exif.end());
  file.insert(file.end(), jpeg.begin() + 2, jpeg.end());
  return file;
}

// A JPEG of 16 x 16 pixels in CMYK, written by PIL: green and yellow above cyan and white.
inline Bytes cmyk_jpeg() {
  const std::string hex =
      "ffd8ffee000e41646f626500640000000000ffdb004300100b0c0e0c0a100e0d0e1211101318281a181616183123251d283a33"
      "3d"
      "3c3933383740485c4e404457453738506d51575f626768673e4d71797064785c656763ffc0001408001000100443110"
      "04d11005911004b1100ffc400160001010100000000000000000000000000000708ffc40014100100000000000000000000000"
      "000"
      "000000ffda000e0443004d0059004b00003f009fa809fa80d00033f8d0034000ffd9";
  Bytes file;
  for (size_t i = 0; i < hex.size(); i += 2)
    file.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return file;
}

inline void write_file(const std::string& path, const Bytes& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_text(path, std::string(bytes.begin(), bytes.end()));
}

// Returns true if pictures can be decoded, which needs OpenCV. Tests that need it return early without it.
inline bool has_decoder() {
  const std::string problem = error_of([] { require_decoder(); });
  if (!problem.empty()) MESSAGE("skipped: a picture ", problem);
  return problem.empty();
}

inline Bytes jpeg_of(const Drawn& drawn) { return encode_jpeg(drawn.view(), 95); }

}  // namespace crescendo::test
