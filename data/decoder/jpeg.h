// Decodes JPEG files with libjpeg-turbo, which can decode only a part of a picture and reduce it on the way.
// OpenCV offers neither.
#pragma once

#include "data/decoder.h"

namespace crescendo {

// Decodes a JPEG file of one or three components, as it is stored: the orientation is ignored. Throws
// std::invalid_argument.
void decode_jpeg(std::span<const uint8_t> file, const PictureHeader& header, const DecodeOptions& options,
                 DecodedPicture& picture);

}  // namespace crescendo
