// OpenCV and the hundred libraries behind it take longer to load than a training run takes to start: they are
// loaded when the first picture is to be read.
#include "trainer/cli/picture.h"

#include <dlfcn.h>

#include "engine/check.h"

namespace crescendo {

std::vector<uint8_t> read_picture(const std::string& path, const ImageSize& size) {
  static void* const module = dlopen(kPictureModule, RTLD_NOW | RTLD_LOCAL);
  require(module != nullptr, "predict: cannot read ", path, " without ", kPictureModule,
          ", which is built where OpenCV is found");
  auto* const reader = reinterpret_cast<PictureReader*>(dlsym(module, kPictureReader));
  require(reader != nullptr, "predict: ", kPictureModule, " is not of this program");
  std::vector<uint8_t> picture;
  reader(path, size, picture);
  return picture;
}

}  // namespace crescendo
