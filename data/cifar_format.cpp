#include "data/cifar_format.h"

#include <algorithm>

#include "base/check.h"

namespace crescendo {
namespace fs = std::filesystem;
namespace {

CifarFormat cifar10() {
  return {.kind = "cifar10",
          .title = "CIFAR-10",
          .folder = "cifar-10-batches-bin",
          .archive = "cifar-10-binary.tar.gz",
          .md5 = "c32a1d4ab5d03f1284b67883e8d87530",
          .class_file = "batches.meta.txt",
          .class_names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
                          "truck"},
          .coarse_classes = 0,
          .train = {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                     "data_batch_5.bin"},
                    10000},
          .test = {{"test_batch.bin"}, 10000},
          .normalisation = {{125.3F, 123.0F, 113.9F}, {63.0F, 62.1F, 66.7F}}};
}

CifarFormat cifar100() {
  return {.kind = "cifar100",
          .title = "CIFAR-100",
          .folder = "cifar-100-binary",
          .archive = "cifar-100-binary.tar.gz",
          .md5 = "03b5dce01913d631647c71ecec9e9cb8",
          .class_file = "fine_label_names.txt",
          .class_names = {"apple",    "aquarium_fish", "baby",       "bear",         "beaver",
                          "bed",      "bee",           "beetle",     "bicycle",      "bottle",
                          "bowl",     "boy",           "bridge",     "bus",          "butterfly",
                          "camel",    "can",           "castle",     "caterpillar",  "cattle",
                          "chair",    "chimpanzee",    "clock",      "cloud",        "cockroach",
                          "couch",    "crab",          "crocodile",  "cup",          "dinosaur",
                          "dolphin",  "elephant",      "flatfish",   "forest",       "fox",
                          "girl",     "hamster",       "house",      "kangaroo",     "keyboard",
                          "lamp",     "lawn_mower",    "leopard",    "lion",         "lizard",
                          "lobster",  "man",           "maple_tree", "motorcycle",   "mountain",
                          "mouse",    "mushroom",      "oak_tree",   "orange",       "orchid",
                          "otter",    "palm_tree",     "pear",       "pickup_truck", "pine_tree",
                          "plain",    "plate",         "poppy",      "porcupine",    "possum",
                          "rabbit",   "raccoon",       "ray",        "road",         "rocket",
                          "rose",     "sea",           "seal",       "shark",        "shrew",
                          "skunk",    "skyscraper",    "snail",      "snake",        "spider",
                          "squirrel", "streetcar",     "sunflower",  "sweet_pepper", "table",
                          "tank",     "telephone",     "television", "tiger",        "tractor",
                          "train",    "trout",         "tulip",      "turtle",       "wardrobe",
                          "whale",    "willow_tree",   "wolf",       "woman",        "worm"},
          .coarse_classes = 20,
          .train = {{"train.bin"}, 50000},
          .test = {{"test.bin"}, 10000},
          .normalisation = {{129.3F, 124.1F, 112.4F}, {68.2F, 65.4F, 70.4F}}};
}

bool present(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::vector<std::string> all_names(const CifarFormat& format) {
  std::vector<std::string> names = format.train.names;
  names.insert(names.end(), format.test.names.begin(), format.test.names.end());
  return names;
}

bool holds_files(const CifarFormat& format, const fs::path& folder, const char* suffix = "") {
  const std::vector<std::string> names = all_names(format);
  return std::any_of(names.begin(), names.end(),
                     [&](const auto& name) { return present(folder / (name + suffix)); });
}

// Explains what `directory` has instead of the files.
std::string explanation(const CifarFormat& format, const fs::path& directory) {
  for (const CifarFormat& other : cifar_formats())
    if (other.kind != format.kind && !seek_cifar(other, directory).empty())
      return join("it has ", other.title, ": use --data ", other.kind);
  for (const fs::path& folder : {directory, directory / format.folder}) {
    if (holds_files(format, folder, ".gz"))
      return join("its files are still compressed: gunzip ", (folder / "*.bin.gz").string());
    if (present(folder / format.archive))
      return join(format.archive, " is not unpacked: tar -xzf ", (folder / format.archive).string(), " -C ",
                  folder.string());
  }
  if (present(directory / "cifar-10-batches-py") || present(directory / "data_batch_1") ||
      present(directory / "cifar-100-python"))
    return join("it has the Python version, but the binary version is needed (", format.address(), ")");
  return join("expected ", format.train.names.front(), " ... ", format.test.names.back(), " or a folder ",
              format.folder, " (crescendo data fetch ", format.kind, ")");
}

}  // namespace

const std::vector<CifarFormat>& cifar_formats() {
  static const std::vector<CifarFormat> formats{cifar10(), cifar100()};
  return formats;
}

const CifarFormat& cifar_format(const std::string& kind) {
  for (const CifarFormat& format : cifar_formats())
    if (format.kind == kind) return format;
  require(false, "data: unknown kind \"", kind, "\", expected cifar10, cifar100, shapes or image-folder");
  return cifar_formats().front();
}

fs::path seek_cifar(const CifarFormat& format, const fs::path& directory) {
  if (holds_files(format, directory)) return directory;
  if (holds_files(format, directory / format.folder)) return directory / format.folder;
  return {};
}

fs::path find_cifar(const CifarFormat& format, const fs::path& directory) {
  require(!directory.empty(), format.kind, ": needs the folder of its files: --data-dir DIR");
  require(present(directory), format.kind, ": ", directory.string(), " does not exist");
  require(fs::is_directory(directory), format.kind, ": ", directory.string(),
          " is a file, expected the folder of the unpacked .bin files");
  fs::path folder = seek_cifar(format, directory);
  require(!folder.empty(), format.kind, ": no ", format.title, " in ", directory.string(), ": ",
          folder.empty() ? explanation(format, directory) : "");
  return folder;
}

}  // namespace crescendo
