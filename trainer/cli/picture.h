// Pictures from files, by OpenCV where the program was built with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace crescendo {

// The picture, resized to `size`, as bytes [h,w,3] in red, green, blue. Throws std::invalid_argument naming
// the file.
std::vector<uint8_t> read_picture(const std::string& path, const ImageSize& size);

}  // namespace crescendo
