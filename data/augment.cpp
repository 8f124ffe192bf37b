#include "data/augment.h"

#include <algorithm>

namespace crescendo {
namespace {

inline void write_pixel(const uint8_t* from, int64_t channel, const PixelTable& table, float* to) {
  to[0] = table[0][from[0]];
  to[1] = table[1][from[channel]];
  to[2] = table[2][from[2 * channel]];
}

// Writes one row of the result. `row` views the row of the image that it shows.
void write_row(const ImageView& row, int64_t width, const Augmentation& augmentation, const PixelTable& table,
               float* pixels) {
  // Columns [first, last) come from inside the image, so that their source moves by a constant step.
  // The columns beside them show reflected pixels.
  const int64_t first = std::max<int64_t>(kCropPadding - augmentation.left, 0);
  const int64_t last = std::min(width + kCropPadding - augmentation.left, width);
  const int64_t step = augmentation.flip ? -row.pixel : row.pixel;
  const auto source = [&](int64_t x) {
    return row.bytes + row.pixel * source_column(augmentation, x, width);
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

void write_augmented(const ImageView& image, const ImageSize& size, const Augmentation& augmentation,
                     const PixelTable& table, float* pixels) {
  for (int64_t y = 0; y < size.height; ++y) {
    ImageView row = image;
    row.bytes += source_row(augmentation, y, size.height) * size.width * image.pixel;
    write_row(row, size.width, augmentation, table, pixels + y * 3 * size.width);
  }
}

}  // namespace crescendo
