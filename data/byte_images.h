// A data set whose images are bytes in memory. Each is augmented and normalised when it is read. CIFAR and
// the built-in shapes are such sets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"

namespace crescendo {

struct ByteImageSet {
  ImageSize image_size;                // three channels
  std::vector<const uint8_t*> images;  // [n], each to bytes [h,w,3]
  bool planar = false;                 // each to bytes [3,h,w] instead
  std::shared_ptr<const void> memory;  // owns the bytes
  std::vector<int32_t> labels;         // [n]
  std::vector<std::string> class_names;
  Normalisation normalisation;
  bool augment = false;

  // Allocates n images and n labels. Returns the bytes of the images, one image after another, uninitialised.
  uint8_t* allocate(int64_t n);
};

class ByteImages final : public Dataset {
 public:
  explicit ByteImages(ByteImageSet set);

  int64_t size() const override { return static_cast<int64_t>(set_.labels.size()); }
  ImageSize image_size() const override { return set_.image_size; }
  const std::vector<std::string>& class_names() const override { return set_.class_names; }
  std::string digest() const override;  // covers image size, pixels and labels
  int32_t sample(int64_t index, const SampleKey& key, float* pixels) const override;

  ImageView image(int64_t index) const;
  int32_t label(int64_t index) const { return set_.labels[static_cast<size_t>(index)]; }
  bool augments() const { return set_.augment; }
  const PixelTable& table() const { return table_; }
  // Copies image `index` to `to` as bytes [3,h,w].
  void copy_planes(int64_t index, uint8_t* to) const;

 private:
  ByteImageSet set_;
  PixelTable table_;
};

}  // namespace crescendo
