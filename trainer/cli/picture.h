// Pictures from files, by OpenCV.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace crescendo {

// The picture, resized to `size`, as bytes [h,w,3] in red, green, blue. Throws std::invalid_argument naming
// the file, or saying that the program was built without OpenCV.
std::vector<uint8_t> read_picture(const std::string& path, const ImageSize& size);

// What does so in the module of picture_opencv.cpp.
inline constexpr const char* kPictureModule = "libcrescendo_opencv.so";
inline constexpr const char* kPictureReader = "crescendo_read_picture";
using PictureReader = void(const std::string& path, const ImageSize& size, std::vector<uint8_t>& picture);

}  // namespace crescendo
