#include "data/picture_header.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "base/check.h"

namespace crescendo {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";
constexpr std::string_view kJpegSignature = "\xff\xd8\xff";
constexpr std::string_view kExif{"Exif\0\0", 6};

bool begins_with(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin(),
                    [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

// Reads numbers of `count` bytes at any offset of a file.
class Reader {
 public:
  Reader(Bytes bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

  // Returns nullopt beyond the end of the file.
  std::optional<uint32_t> number(size_t at, size_t count) const {
    if (at > bytes_.size() || bytes_.size() - at < count) return std::nullopt;
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) value = value << 8 | bytes_[at + (big_endian_ ? i : count - 1 - i)];
    return value;
  }
  // Throws beyond the end of the file.
  uint32_t required(size_t at, size_t count) const {
    const std::optional<uint32_t> value = number(at, count);
    require(value.has_value(), "ends within its header");
    return *value;
  }

 private:
  Bytes bytes_;
  bool big_endian_;
};

// Returns the orientation in EXIF data, which are a TIFF directory; 1 if it is missing or invalid.
int orientation_of(Bytes tiff) {
  constexpr uint32_t kOrientationTag = 0x0112, kShort = 3;
  if (!begins_with(tiff, "II") && !begins_with(tiff, "MM")) return 1;
  const Reader in(tiff, tiff[0] == 'M');
  const size_t directory = in.number(4, 4).value_or(0);
  const uint32_t entries = in.number(directory, 2).value_or(0);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + size_t{12} * i;
    const std::optional<uint32_t> tag = in.number(entry, 2);
    if (!tag) return 1;
    if (tag != kOrientationTag || in.number(entry + 2, 2) != kShort) continue;
    const uint32_t value = in.number(entry + 8, 2).value_or(1);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

bool is_frame(uint32_t marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}
bool stands_alone(uint32_t marker) { return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8); }

// Reads the segments of a JPEG up to the frame header. A segment is FF, marker, two bytes of length, content.
PictureHeader jpeg_header(Bytes file) {
  PictureHeader header;
  const Reader in(file, true);
  for (size_t at = 2;;) {
    require(in.required(at, 1) == 0xff, "is damaged in its header");
    while (in.required(at, 1) == 0xff) ++at;  // fill bytes
    const uint32_t marker = in.required(at++, 1);
    if (stands_alone(marker)) continue;
    require(marker != 0 && marker != 0xd9 && marker != 0xda, "is damaged in its header");
    const uint32_t length = in.required(at, 2);
    require(length >= 2, "is damaged in its header");
    const bool whole = file.size() - at >= length;
    require(whole, "ends within its header");
    const Bytes content = file.subspan(at + 2, length - 2);
    if (marker == 0xe1 && begins_with(content, kExif))
      header.orientation = orientation_of(content.subspan(kExif.size()));
    if (is_frame(marker)) {
      header.height = in.required(at + 3, 2);
      header.width = in.required(at + 5, 2);
      header.components = static_cast<int>(in.required(at + 7, 1));
      header.end = static_cast<int64_t>(at + length);
      return header;
    }
    at += length;
  }
}

PictureHeader png_header(Bytes file) {
  const Reader in(file, true);
  PictureHeader header{.format = PictureFormat::png, .end = 33};
  header.width = in.required(16, 4);
  header.height = in.required(20, 4);
  require(begins_with(file.subspan(12), "IHDR"), "is damaged in its header");
  require(file.size() >= static_cast<size_t>(header.end), "ends within its header");
  return header;
}

}  // namespace

PictureHeader read_picture_header(Bytes file) {
  require(!file.empty(), "is empty");
  const bool jpeg = begins_with(file, kJpegSignature);
  require(jpeg || begins_with(file, kPngSignature), "is neither JPEG nor PNG");
  const PictureHeader header = jpeg ? jpeg_header(file) : png_header(file);
  require(header.width > 0 && header.height > 0, "has ", header.width, " x ", header.height, " pixels");
  require(header.width <= kMostPixels / header.height, "has ", header.width, " x ", header.height,
          " pixels, expected at most ", kMostPixels);
  return header;
}

bool has_end_mark(Bytes file, const PictureHeader& header) {
  constexpr std::array<uint8_t, 2> kEndOfImage{0xff, 0xd9};
  constexpr std::array<uint8_t, 4> kEndChunk{'I', 'E', 'N', 'D'};
  const Bytes data = file.subspan(static_cast<size_t>(header.end));
  const Bytes mark = header.format == PictureFormat::jpeg ? Bytes(kEndOfImage) : Bytes(kEndChunk);
  return std::find_end(data.begin(), data.end(), mark.begin(), mark.end()) != data.end();
}

}  // namespace crescendo
