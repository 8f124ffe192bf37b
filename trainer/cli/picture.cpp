// OpenCV and the hundred libraries behind it take longer to load than a training run takes to start: they are
// in a module.
#include "trainer/cli/picture.h"

#include "engine/check.h"
#include "kernels/module.h"

namespace crescendo {

std::vector<uint8_t> read_picture(const std::string& path, const ImageSize& size) {
  std::string why;
  auto* const reader = reinterpret_cast<PictureReader*>(module_function(kPictureModule, kPictureReader, why));
  require(reader != nullptr, "predict: cannot read ", path, ": ", kPictureModule,
          ", which is built where OpenCV is found, does not load: ", why);
  std::vector<uint8_t> picture;
  reader(path, size, picture);
  return picture;
}

}  // namespace crescendo
