// JPEG by libjpeg-turbo itself: only the part of a picture that is wanted, and reduced while it is decoded,
// which OpenCV has no way to ask for.
#pragma once

#include "data/decoder.h"

namespace crescendo {

// Of one or three components and not to be turned. Throws std::invalid_argument.
void decode_jpeg(std::span<const uint8_t> file, const PictureHeader& header, const DecodeOptions& options,
                 DecodedPicture& picture);

}  // namespace crescendo
