// What the first bytes of a JPEG or PNG file say, read before anything is decoded: so that a picture that
// would not fit in memory is refused while it is still small.
#pragma once

#include <cstdint>
#include <span>

namespace crescendo {

enum class PictureFormat { jpeg, png };

struct PictureHeader {
  PictureFormat format = PictureFormat::jpeg;
  int64_t width = 0, height = 0;  // as stored
  int components = 3;             // of a JPEG: 1 grey, 3 colour, 4 CMYK
  int orientation = 1;            // EXIF's: how the stored picture is to be turned, 1 (not at all) to 8
  int64_t end = 0;                // bytes of the file up to here belong to the header

  bool on_its_side() const { return orientation >= 5; }
  int64_t upright_width() const { return on_its_side() ? height : width; }
  int64_t upright_height() const { return on_its_side() ? width : height; }
};

inline constexpr int64_t kMostPixels = 100'000'000;

// Throws std::invalid_argument, without the file's name, if the bytes are not a header of either format, or
// if the picture has no pixels or more than kMostPixels. What the name of the file ends with does not matter.
PictureHeader read_picture_header(std::span<const uint8_t> file);

// Whether the file has the mark that ends its format. A file that was cut off has none.
bool has_end_mark(std::span<const uint8_t> file, const PictureHeader&);

}  // namespace crescendo
