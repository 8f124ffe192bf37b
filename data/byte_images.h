// Images held as bytes in memory, augmented and normalised as they are read: what CIFAR and shapes have in
// common.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"

namespace crescendo {

struct ByteImageSet {
  ImageSize image_size;              // three channels
  std::unique_ptr<uint8_t[]> bytes;  // [n,h,w,3]
  std::vector<int32_t> labels;       // [n]
  std::vector<std::string> class_names;
  Normalisation normalisation;
  bool augment = false;

  // Of n images, the bytes not yet written: their pages come to be on whichever threads fill them.
  void allocate(int64_t n);
  uint8_t* image(int64_t index) const { return bytes.get() + index * image_size.elements(); }
};

class ByteImages final : public Dataset {
 public:
  explicit ByteImages(ByteImageSet set);

  int64_t size() const override { return static_cast<int64_t>(set_.labels.size()); }
  ImageSize image_size() const override { return set_.image_size; }
  const std::vector<std::string>& class_names() const override { return set_.class_names; }
  std::string digest() const override;  // of image size, pixels and labels
  int32_t sample(int64_t index, const SampleKey& key, float* pixels) const override;

  const uint8_t* image(int64_t index) const { return set_.image(index); }

 private:
  ByteImageSet set_;
  PixelTable table_;
};

}  // namespace crescendo
