// Built instead of picture_opencv.cpp where OpenCV was not found.
#include "engine/check.h"
#include "trainer/cli/picture.h"

namespace crescendo {

std::vector<uint8_t> read_picture(const std::string& path, const ImageSize&) {
  require(false, "predict: cannot read ", path, ": this program was built without OpenCV");
  return {};
}

}  // namespace crescendo
