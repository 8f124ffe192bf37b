// Pictures from the bytes of JPEG and PNG files, and JPEG files from pictures, by OpenCV and the JPEG library
// that it uses. They and the hundred libraries behind them are in a module that is loaded when the first
// picture is decoded: they take longer to load than a training run takes to start.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/check.h"
#include "data/picture_header.h"
#include "data/resample.h"

namespace crescendo {

// Part of a picture, or all of it, upright.
struct DecodedPicture {
  std::unique_ptr<uint8_t[]> bytes;  // [height, width, 3] in red, green, blue
  Rectangle region;  // where it lies in the whole picture, counted in pixels of the reduced picture

  void allocate(const Rectangle& where) {
    const int64_t pixels = checked_product(where.width, where.height, "picture");
    bytes.reset(new uint8_t[static_cast<size_t>(checked_product(3, pixels, "picture"))]);  // not cleared
    region = where;
  }
  PictureView view() const { return {bytes.get(), region.width, region.height}; }
};

struct DecodeOptions {
  Rectangle wanted;   // of the upright picture at full size; what is decoded is as much or more
  int reduction = 1;  // 1, 2, 4 or 8: pixels of each direction that become one
  // Also refuse what every decoder shows in some way: entropy-coded data that makes no sense. It can lie
  // behind the part that is wanted, and is then not found.
  bool strict = false;
};

// Whether it can be decoded with another reduction than 1.
bool can_be_reduced(const PictureHeader& header);

// `header` is that of `file`. Throws std::invalid_argument, without the file's name: what is wrong with the
// file, or that the program was built without OpenCV.
DecodedPicture decode_picture(std::span<const uint8_t> file, const PictureHeader& header,
                              const DecodeOptions& options);

std::vector<uint8_t> encode_jpeg(const PictureView& picture, int quality);

// Whether the module loads; throws std::invalid_argument with the reason if not.
void require_decoder();

// What the module has.
inline constexpr const char* kDecoderModule = "libcrescendo_opencv.so";
struct DecoderFunctions {
  void (*decode)(std::span<const uint8_t>, const PictureHeader&, const DecodeOptions&, DecodedPicture&);
  void (*encode)(const PictureView&, int quality, std::vector<uint8_t>& file);
};
inline constexpr const char* kDecoderFunctions = "crescendo_decoder";  // const DecoderFunctions* ()

}  // namespace crescendo
