#include "data/decoder.h"

#include "base/check.h"
#include "base/module.h"

namespace crescendo {
namespace {

const DecoderFunctions& decoder() {
  static const DecoderFunctions& functions = []() -> const DecoderFunctions& {
    std::string why;
    auto* const open = reinterpret_cast<const DecoderFunctions* (*)()>(
        module_function(kDecoderModule, kDecoderFunctions, why));
    require(open != nullptr, "cannot be decoded: ", kDecoderModule,
            ", which is built where OpenCV and libjpeg-turbo are found, does not load: ", why);
    return *open();
  }();
  return functions;
}

}  // namespace

bool can_be_reduced(const PictureHeader& header) {
  return header.format == PictureFormat::jpeg && header.components != 4;
}

DecodedPicture decode_picture(std::span<const uint8_t> file, const PictureHeader& header,
                              const DecodeOptions& options) {
  require(has_end_mark(file, header), "is cut off: the end of its data is missing");
  DecodedPicture picture;
  decoder().decode(file, header, options, picture);
  return picture;
}

std::vector<uint8_t> encode_jpeg(const PictureView& picture, int quality) {
  std::vector<uint8_t> file;
  decoder().encode(picture, quality, file);
  return file;
}

void require_decoder() { decoder(); }

}  // namespace crescendo
