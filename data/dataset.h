// A set of labelled images that can be read in any order, from any thread.
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

// Names one look at an image: its random augmentation is a pure function of (seed, epoch, index).
struct SampleKey {
  uint64_t seed = 0;
  int64_t epoch = 0;
};

// What a run's manifest should tell of a set: one line, and what it is about, a line each.
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

  virtual int64_t size() const = 0;  // images
  virtual ImageSize image_size() const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;
  // Identifies the contents: for the run's manifest. 32 hexadecimal digits (XXH3-128).
  virtual std::string digest() const = 0;
  virtual std::vector<DatasetNote> notes() const { return {}; }

  // Writes the normalised (and, if the set augments, augmented) pixels [h,w,c] of image `index`; returns its
  // label.
  virtual int32_t sample(int64_t index, const SampleKey& key, float* pixels) const = 0;
};

enum class Split { train, test };

// How training images are drawn. standard is that of the set: flip and crop of CIFAR and shapes, goyal of
// image folders. Of image folders it is a whole recipe, the normalisation and the evaluation's crop included
// (data/crop.h).
enum class Augment { standard, goyal, inception, none };

// What becomes of pictures that cannot be decoded: the first that is met ends the run; or all are looked for
// first, and left out, or others of their classes stand in for them.
enum class BadImages { fail, skip, substitute };

struct DatasetOptions {
  std::string kind = "shapes";  // cifar10, cifar100, shapes, image-folder
  std::string directory;  // of the official binary files, or its parent; a folder of pictures, or a pack
  std::string val_directory{};  // image-folder: of the test split; empty: val in `directory`
  int64_t image_size = 0;       // image-folder: height and width
  int64_t train_images =
      0;  // so many of the training split: the first, of image-folder evenly spread; 0: all
  Augment augment = Augment::standard;
  bool random = true;  // false: nothing is drawn, as of the test split
  BadImages bad_images = BadImages::fail;
  uint64_t seed = 1;  // of what shapes draws: fixed, so that runs of different seeds see the same set

  bool augments(Split split) const { return split == Split::train && random && augment != Augment::none; }
};

// Throws std::invalid_argument with file, what was found and what was expected.
std::shared_ptr<const Dataset> make_dataset(const DatasetOptions&, Split);

// Of every image of such a set; nothing is opened.
ImageSize image_size(const DatasetOptions&);

// What is known of a set before any of its images is read.
struct DatasetTraits {
  ImageSize image_size;
  int64_t classes = 0, train_images = 0, test_images = 0;
};
// Of an image folder by listing it, and as long as none is named those of ImageNet. Throws
// std::invalid_argument naming the kinds there are.
DatasetTraits dataset_traits(const DatasetOptions&);

// Whether all images of such a set lie in memory (ByteImages), and so in a GPU's; otherwise each is made when
// asked for.
bool is_held_in_memory(const std::string& kind);

// A picture file as evaluation on such a set would see it: pixels [h,w,c] of the traits' image size. CIFAR
// and shapes have no crop: there the whole picture is squeezed into the image. Throws std::invalid_argument
// naming the file.
void read_picture(const DatasetOptions&, const std::string& path, float* pixels);

}  // namespace crescendo
