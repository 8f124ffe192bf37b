// Data sets of labelled images, which can be read in any order and from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace crescendo {

struct ImageSize {
  int64_t height = 0, width = 0, channels = 0;
  int64_t elements() const { return height * width * channels; }
};

// Seed and epoch of a sample. Its random augmentation is a pure function of (seed, epoch, image index).
struct SampleKey {
  uint64_t seed = 0;
  int64_t epoch = 0;
};

// A remark on a data set for the run's manifest: a summary of one line, and a line for each item it counts.
struct DatasetNote {
  std::string text;
  std::vector<std::string> lines;
};

class Dataset {
 public:
  Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;
  virtual ~Dataset() = default;

  virtual int64_t size() const = 0;  // number of images
  virtual ImageSize image_size() const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;
  // Returns 32 hexadecimal digits (XXH3-128) that identify the contents, for the run's manifest.
  virtual std::string digest() const = 0;
  virtual std::vector<DatasetNote> notes() const { return {}; }

  // Writes the normalised pixels [h,w,c] of image `index`, augmented if the set augments. Returns its label.
  virtual int32_t sample(int64_t index, const SampleKey& key, float* pixels) const = 0;
};

enum class Split { train, test };

// Augmentation of training images. `standard` is flip and crop for CIFAR and shapes, `goyal` for image
// folders. For image folders it also decides the normalisation and the crop of evaluation (data/crop.h).
enum class Augment { standard, goyal, inception, none };

// Treatment of pictures that cannot be decoded.
enum class BadImages {
  fail,       // the first one that is read ends the run
  skip,       // all are found at the start and left out
  substitute  // all are found at the start and replaced by other pictures of their classes
};

struct DatasetOptions {
  std::string kind = "shapes";  // cifar10, cifar100, shapes, image-folder
  std::string directory;        // CIFAR: folder of the official binary files, or its parent folder;
                                // image-folder: folder of pictures, or a pack
  std::string val_directory{};  // image-folder: folder of the test split; empty: `directory`/val
  int64_t image_size = 0;       // image-folder: height and width of the images
  int64_t train_images = 0;     // training images to use: the first ones (image-folder: evenly spread);
                                // 0: all
  Augment augment = Augment::standard;
  bool random = true;  // false: training images are prepared like test images, without augmentation
  BadImages bad_images = BadImages::fail;
  uint64_t seed = 1;  // shapes: seed of the drawings, not of the run: all runs see the same images

  bool augments(Split split) const { return split == Split::train && random && augment != Augment::none; }
};

// Opens a data set. Throws std::invalid_argument with the file, what was found and what was expected.
std::shared_ptr<const Dataset> make_dataset(const DatasetOptions&, Split);

// Returns the size of all images of the data set, without opening it.
ImageSize image_size(const DatasetOptions&);

// Facts about a data set that are known before any image is read.
struct DatasetTraits {
  ImageSize image_size;
  int64_t classes = 0, train_images = 0, test_images = 0;
};
// Returns the traits of a data set. An image folder is listed for them; without a directory they are
// ImageNet's. Throws std::invalid_argument naming the known kinds.
DatasetTraits dataset_traits(const DatasetOptions&);

// Returns true if all images of such a set are kept in memory (ByteImages), and in a GPU's memory when
// training there. Otherwise each image is decoded when it is needed.
bool is_held_in_memory(const std::string& kind);

// Reads a picture file and prepares it like a test image of such a data set: pixels [h,w,c] of the set's
// image size. CIFAR and shapes have no crop: the whole picture is resized to the image. Throws
// std::invalid_argument naming the file.
void read_picture(const DatasetOptions&, const std::string& path, float* pixels);

}  // namespace crescendo
