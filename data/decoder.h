// Decodes JPEG and PNG files and encodes JPEG files, with OpenCV and libjpeg-turbo. These libraries and their
// many dependencies take longer to load than a training run takes to start. So the code that needs them is a
// module of its own, which is loaded when the first picture is decoded.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/check.h"
#include "data/picture_header.h"
#include "data/resample.h"

namespace crescendo {

// A picture or a part of it, turned upright.
struct DecodedPicture {
  std::unique_ptr<uint8_t[]> bytes;  // [height, width, 3], RGB
  Rectangle region;                  // the part of the whole picture, in pixels of the reduced picture

  void allocate(const Rectangle& where) {
    const int64_t pixels = checked_product(where.width, where.height, "picture");
    bytes.reset(new uint8_t[static_cast<size_t>(checked_product(3, pixels, "picture"))]);  // not zeroed
    region = where;
  }
  PictureView view() const { return {bytes.get(), region.width, region.height}; }
};

struct DecodeOptions {
  Rectangle wanted;   // part to decode, in pixels of the upright picture at full size; more may be decoded
  int reduction = 1;  // 1, 2, 4 or 8: width and height are divided by this while decoding
  // Also reject a JPEG with corrupt entropy-coded data, which decoders only warn about. Data behind the
  // wanted part is not decoded, and therefore not checked.
  bool strict = false;
};

// Returns true if the picture can be decoded with a reduction other than 1.
bool can_be_reduced(const PictureHeader& header);

// Decodes a JPEG or PNG file; `header` is the header of `file`. Throws std::invalid_argument if the file is
// damaged or the decoder does not load. The message does not have the file's name.
DecodedPicture decode_picture(std::span<const uint8_t> file, const PictureHeader& header,
                              const DecodeOptions& options);

// Returns the bytes of a JPEG file. `quality` is 0 to 100.
std::vector<uint8_t> encode_jpeg(const PictureView& picture, int quality);

// Loads the module. Throws std::invalid_argument with the reason if it does not load.
void require_decoder();

// The module's file, its functions, and the name of the function that returns them.
inline constexpr const char* kDecoderModule = "libcrescendo_opencv.so";
struct DecoderFunctions {
  void (*decode)(std::span<const uint8_t>, const PictureHeader&, const DecodeOptions&, DecodedPicture&);
  void (*encode)(const PictureView&, int quality, std::vector<uint8_t>& file);
};
inline constexpr const char* kDecoderFunctions = "crescendo_decoder";  // const DecoderFunctions* ()

}  // namespace crescendo
