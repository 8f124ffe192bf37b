#include "data/dataset.h"

#include "data/cifar.h"
#include "data/shapes.h"
#include "engine/check.h"

namespace crescendo {

std::shared_ptr<const Dataset> make_dataset(const DatasetOptions& options, Split split) {
  require(options.train_images >= 0, "data: ", options.train_images,
          " training images, expected 0 (all) or more");
  if (options.kind == "shapes") return draw_shapes(options, split);
  for (const CifarFormat& format : cifar_formats())
    if (options.kind == format.kind) return read_cifar(format, options, split);
  require(false, "data: unknown kind \"", options.kind, "\", expected cifar10, cifar100 or shapes");
  return nullptr;
}

}  // namespace crescendo
