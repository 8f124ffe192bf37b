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

  // Writes the normalised (and, if the set augments, augmented) pixels [h,w,c] of image `index`; returns its
  // label.
  virtual int32_t sample(int64_t index, const SampleKey& key, float* pixels) const = 0;
};

enum class Split { train, test };

struct DatasetOptions {
  std::string kind = "shapes";  // cifar10, cifar100, shapes
  std::string directory;        // of the official binary files, or its parent; unused by shapes
  int64_t train_images = 0;     // the first so many of the training split; 0: all
  bool augment = true;          // flip and crop; training split only
  uint64_t seed = 1;  // of what shapes draws: fixed, so that runs of different seeds see the same set
};

// Throws std::invalid_argument with file, what was found and what was expected.
std::shared_ptr<const Dataset> make_dataset(const DatasetOptions&, Split);

// What a kind of set is, known without its files.
struct DatasetTraits {
  ImageSize image_size;
  int64_t classes = 0, train_images = 0, test_images = 0;
};
// Throws std::invalid_argument naming the kinds there are.
DatasetTraits dataset_traits(const std::string& kind);

// A picture of a kind's image size, bytes [h,w,3], as that kind's sample() would give it: normalised, not
// augmented.
void normalise_picture(const std::string& kind, const uint8_t* picture, float* pixels);

}  // namespace crescendo
