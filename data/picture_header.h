// Reads the header of a JPEG or PNG file, without decoding the picture. So a picture that is too large is
// rejected before memory is allocated for it.
#pragma once

#include <cstdint>
#include <span>

namespace crescendo {

enum class PictureFormat { jpeg, png };

struct PictureHeader {
  PictureFormat format = PictureFormat::jpeg;
  int64_t width = 0, height = 0;  // as stored, before it is turned upright
  int components = 3;             // JPEG only: 1 grey, 3 colour, 4 CMYK
  int orientation = 1;            // EXIF orientation, 1 (upright as stored) to 8
  int64_t end = 0;                // size of the header: the file's bytes [0, end)

  bool on_its_side() const { return orientation >= 5; }
  int64_t upright_width() const { return on_its_side() ? height : width; }
  int64_t upright_height() const { return on_its_side() ? width : height; }
};

// Largest picture that is accepted.
inline constexpr int64_t kMostPixels = 100'000'000;

// Reads the header of a file; the first bytes decide the format. Throws std::invalid_argument, without the
// file's name, if it is neither JPEG nor PNG, or has no pixels or more than kMostPixels.
PictureHeader read_picture_header(std::span<const uint8_t> file);

// Returns true if the file has the end marker of its format. A file that was cut off has none.
bool has_end_mark(std::span<const uint8_t> file, const PictureHeader&);

}  // namespace crescendo
