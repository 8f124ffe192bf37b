#include "data/byte_images.h"

#include "base/huge_pages.h"
#include "base/rng.h"
#include "base/xxh3.h"

namespace crescendo {

uint8_t* ByteImageSet::allocate(int64_t n) {
  const auto count = static_cast<size_t>(n * image_size.elements());
  const std::shared_ptr<uint8_t[]> bytes(new uint8_t[count]);  // not zeroed
  prefer_huge_pages(bytes.get(), count);
  for (int64_t i = 0; i < n; ++i) images.push_back(bytes.get() + i * image_size.elements());
  labels.resize(static_cast<size_t>(n));
  memory = bytes;
  return bytes.get();
}

ByteImages::ByteImages(ByteImageSet set) : set_(std::move(set)), table_(pixel_table(set_.normalisation)) {}

std::string ByteImages::digest() const {
  const int64_t sizes[] = {size(), set_.image_size.height, set_.image_size.width, set_.image_size.channels};
  Xxh3 hash;
  hash.add(sizes, sizeof sizes);
  for (const uint8_t* image : set_.images) hash.add(image, static_cast<size_t>(image_size().elements()));
  hash.add(set_.labels.data(), set_.labels.size() * sizeof(int32_t));
  return hash.digest().hexadecimal();
}

ImageView ByteImages::image(int64_t index) const {
  const uint8_t* bytes = set_.images[static_cast<size_t>(index)];
  return set_.planar ? ImageView::planar(bytes, set_.image_size) : ImageView::interleaved(bytes);
}

void ByteImages::copy_planes(int64_t index, uint8_t* to) const {
  const ImageView from = image(index);
  const int64_t pixels = image_size().height * image_size().width;
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t i = 0; i < pixels; ++i) *to++ = from.bytes[i * from.pixel + c * from.channel];
}

int32_t ByteImages::sample(int64_t index, const SampleKey& key, float* pixels) const {
  Augmentation augmentation;
  if (set_.augment)
    augmentation = draw_augmentation(random_key(key.seed, Purpose::augmentation), key.epoch, index);
  write_augmented(image(index), set_.image_size, augmentation, table_, pixels);
  return set_.labels[static_cast<size_t>(index)];
}

}  // namespace crescendo
