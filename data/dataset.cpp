#include "data/dataset.h"

#include "base/check.h"
#include "data/cifar.h"
#include "data/image_folder.h"
#include "data/shapes.h"

namespace crescendo {
namespace {

constexpr const char* kImageFolder = "image-folder";
constexpr DatasetTraits kImageNet{
    .image_size = {}, .classes = 1000, .train_images = 1281167, .test_images = 50000};

void check_options(const DatasetOptions& options) {
  require(options.train_images >= 0, "data: ", options.train_images,
          " training images, expected 0 (all) or more");
}

Normalisation normalisation_of(const std::string& kind) {
  return kind == "shapes" ? kShapesNormalisation : cifar_format(kind).normalisation;
}

}  // namespace

std::shared_ptr<const Dataset> make_dataset(const DatasetOptions& options, Split split) {
  check_options(options);
  if (options.kind == "shapes") return draw_shapes(options, split);
  if (options.kind == kImageFolder) return read_images(options, split);
  return read_cifar(cifar_format(options.kind), options, split);
}

ImageSize image_size(const DatasetOptions& options) {
  const int64_t side = options.kind == kImageFolder ? options.image_size : kShapesSide;  // CIFAR's too
  return {side, side, 3};
}

DatasetTraits dataset_traits(const DatasetOptions& options) {
  check_options(options);
  const ImageSize size = image_size(options);
  if (options.kind == "shapes")
    return {size, static_cast<int64_t>(shape_names().size()), kShapesTrainImages, kShapesTestImages};
  if (options.kind == kImageFolder) {
    DatasetTraits traits = options.directory.empty() ? kImageNet : count_images(options);
    traits.image_size = size;
    return traits;
  }
  const CifarFormat& format = cifar_format(options.kind);
  return {size, format.classes(), format.train.images(), format.test.images()};
}

bool is_held_in_memory(const std::string& kind) { return kind != kImageFolder; }

void read_picture(const DatasetOptions& options, const std::string& path, float* pixels) {
  const bool squeezed = options.kind != kImageFolder;
  const CropRecipe recipe = recipe_of(options.augment);
  const ImageSize size = image_size(options);
  const auto choose = [&](int64_t width, int64_t height) {
    return squeezed ? whole_picture(width, height) : centre_crop(recipe, width, height, size.height);
  };
  try {
    std::vector<uint8_t> file;
    const PictureRecord record = read_picture_file(path, file);
    write_picture(record, choose, size, squeezed ? normalisation_of(options.kind) : recipe.normalisation,
                  kSpareInEvaluation, pixels);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(join(path, " ", error.what()));
  }
}

}  // namespace crescendo
