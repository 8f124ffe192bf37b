#include "data/dataset.h"

#include "data/cifar.h"
#include "data/shapes.h"
#include "engine/check.h"

namespace crescendo {

std::shared_ptr<const Dataset> make_dataset(const DatasetOptions& options, Split split) {
  require(options.train_images >= 0, "data: ", options.train_images,
          " training images, expected 0 (all) or more");
  if (options.kind == "shapes") return draw_shapes(options, split);
  return read_cifar(cifar_format(options.kind), options, split);
}

DatasetTraits dataset_traits(const std::string& kind) {
  const ImageSize size{kShapesSide, kShapesSide, 3};  // CIFAR's too
  if (kind == "shapes")
    return {size, static_cast<int64_t>(shape_names().size()), kShapesTrainImages, kShapesTestImages};
  const CifarFormat& format = cifar_format(kind);
  return {size, format.classes(), format.train.images(), format.test.images()};
}

void normalise_picture(const std::string& kind, const uint8_t* picture, float* pixels) {
  const Normalisation normalisation =
      kind == "shapes" ? kShapesNormalisation : cifar_format(kind).normalisation;
  write_augmented(ImageView::interleaved(picture), dataset_traits(kind).image_size, {},
                  pixel_table(normalisation), pixels);
}

}  // namespace crescendo
