#include "data/augment.h"

#include <algorithm>

#include "engine/rng.h"

namespace crescendo {
namespace {

// Where position i of the padded axis lies in the image of n pixels: 4 3 2 1 | 0 1 2 ... n-1 | n-2 n-3 ...
int64_t reflected(int64_t i, int64_t n) {
  const int64_t inside = i < kCropPadding ? kCropPadding - i : i - kCropPadding;
  return inside < n ? inside : 2 * (n - 1) - inside;
}

inline void write_pixel(const uint8_t* from, int64_t channel, const PixelTable& table, float* to) {
  to[0] = table[0][from[0]];
  to[1] = table[1][from[channel]];
  to[2] = table[2][from[2 * channel]];
}

// `row` begins a row of the image.
void write_row(const ImageView& row, int64_t width, const Augmentation& augmentation, const PixelTable& table,
               float* pixels) {
  // All but a few columns at the edges follow one another in memory, in one direction or the other.
  const int64_t first = std::max<int64_t>(kCropPadding - augmentation.left, 0);
  const int64_t last = std::min(width + kCropPadding - augmentation.left, width);
  const int64_t step = augmentation.flip ? -row.pixel : row.pixel;
  const auto source = [&](int64_t x) {
    const int64_t column = reflected(x + augmentation.left, width);
    return row.bytes + row.pixel * (augmentation.flip ? width - 1 - column : column);
  };
  const auto write = [&](const uint8_t* from, int64_t x) {
    write_pixel(from, row.channel, table, pixels + 3 * x);
  };
  for (int64_t x = 0; x < first; ++x) write(source(x), x);
  const uint8_t* from = source(first);
  for (int64_t x = first; x < last; ++x, from += step) write(from, x);
  for (int64_t x = last; x < width; ++x) write(source(x), x);
}

}  // namespace

PixelTable pixel_table(const Normalisation& normalisation) {
  PixelTable table;
  for (size_t c = 0; c < table.size(); ++c)
    for (size_t value = 0; value < table[c].size(); ++value)
      table[c][value] = (static_cast<float>(value) - normalisation.mean[c]) / normalisation.deviation[c];
  return table;
}

Augmentation draw_augmentation(uint64_t key, int64_t epoch, int64_t index) {
  const PhiloxWords words = random_words(key, static_cast<uint64_t>(index), static_cast<uint32_t>(epoch));
  const auto offset = [](uint32_t word) {
    return static_cast<int64_t>(random_below(word, 0, uint64_t{2 * kCropPadding + 1}));
  };
  return {(words.word[0] >> 31) != 0, offset(words.word[1]), offset(words.word[2])};
}

void write_augmented(const ImageView& image, const ImageSize& size, const Augmentation& augmentation,
                     const PixelTable& table, float* pixels) {
  for (int64_t y = 0; y < size.height; ++y) {
    ImageView row = image;
    row.bytes += reflected(y + augmentation.top, size.height) * size.width * image.pixel;
    write_row(row, size.width, augmentation, table, pixels + y * 3 * size.width);
  }
}

}  // namespace crescendo
