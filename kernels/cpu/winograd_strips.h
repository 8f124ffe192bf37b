// How Winograd's algorithm reads an image: tiles, strips of neighbouring tiles, and what happens to pixels on
// the way into a transform.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/winograd_algorithms.h"

namespace crescendo::CRESCENDO_CPU::winograd {

// Powers of two between rows or matrices would collide in the cache's sets.
constexpr int64_t kSkew = 16;

// The tiles that cover images of `rows` x `columns`, in strips: neighbours of one row of tiles, as many as
// lie over kStripPixels pixels of the source at most. Strips are counted along a row, row after row, image
// after image.
constexpr int64_t kStripPixels = 32;

struct Strip {
  int64_t image, row, column;  // of its first tile
  int64_t tiles;
};

class StripGrid {
 public:
  template <class Algorithm>
  static StripGrid of(int64_t image_rows, int64_t image_columns) {
    return {image_rows, image_columns, Algorithm::Down::kTile, Algorithm::Along::kTile,
            Algorithm::Along::Source::kDistance};
  }

  // f(tile, its pixels) for each tile of an image.
  template <class F>
  void each_tile(int64_t image, const F& f) const {
    for (int64_t row = 0; row < rows_; ++row)
      for (int64_t column = 0; column < columns_; ++column)
        f(tile(image, row, column), std::min(tile_rows_, image_rows_ - row * tile_rows_) *
                                        std::min(tile_columns_, image_columns_ - column * tile_columns_));
  }

  // Tiles before the one in a row and a column of tiles.
  int64_t tile(int64_t image, int64_t row, int64_t column) const {
    return (image * rows_ + row) * columns_ + column;
  }
  int64_t strips(int64_t images) const { return images * rows_ * strips_; }
  int64_t strip_tiles() const { return (columns_ + strips_ - 1) / strips_; }  // at most

  Strip strip(int64_t index) const {
    const int64_t along = index % strips_, first = columns_ * along / strips_;
    return {.image = index / strips_ / rows_,
            .row = index / strips_ % rows_,
            .column = first,
            .tiles = columns_ * (along + 1) / strips_ - first};
  }

 private:
  // Tiles lie `distance` apart along a row of the source.
  StripGrid(int64_t image_rows, int64_t image_columns, int64_t tile_rows, int64_t tile_columns,
            int64_t distance)
      : image_rows_(image_rows),
        image_columns_(image_columns),
        tile_rows_(tile_rows),
        tile_columns_(tile_columns),
        rows_((image_rows + tile_rows - 1) / tile_rows),
        columns_((image_columns + tile_columns - 1) / tile_columns),
        strips_((columns_ * distance + kStripPixels - 1) / kStripPixels) {}

  int64_t image_rows_, image_columns_, tile_rows_, tile_columns_;  // pixels
  int64_t rows_, columns_;                                         // tiles of one image
  int64_t strips_;                                                 // of one row
};

struct Image {
  const real* pixels;  // [h,w,channels]
  int64_t h, w, channels;

  Image next(int64_t images) const { return {pixels + images * h * w * channels, h, w, channels}; }
};

// What transform_strip reads for the strips [lower, upper), of tiles of `size` rows, `distance` apart, the
// first at `row`. `first` is the first image.
inline Prefetch prefetch_strips(const StripGrid& grid, const Image& first, int64_t lower, int64_t upper,
                                int64_t row, int64_t size, int64_t distance, int64_t steps) {
  if (lower >= upper || first.pixels == nullptr) return {};
  const auto place = [&](const Strip& strip, int64_t below) {
    const int64_t h = std::clamp<int64_t>(strip.row * distance + row + below, 0, first.h);
    return first.pixels + (strip.image * first.h + h) * first.w * first.channels;
  };
  return {place(grid.strip(lower), 0), place(grid.strip(upper - 1), size), steps};
}

// What happens to an image's pixels on the way into a transform: nothing, or a normalisation and a ReLU.
struct AsTheyAre {
  AsTheyAre at(int64_t, int64_t, int64_t) const { return {}; }
  Vector operator()(const Vector& pixel) const { return pixel; }
};

// factor [ghosts,c], as norm_factors has it.
struct Normalised {
  const real *mean, *factor, *shift;
  int64_t ghost, channels;
  bool relu;

  struct Pixel {
    Vector mean, factor, shift, floor;
    Vector centred(const Vector& pixel) const { return subtract(pixel, mean); }
    Vector linear(const Vector& centred) const { return CRESCENDO_CPU::multiply_add(centred, factor, shift); }
    Vector operator()(const Vector& pixel) const { return max(linear(centred(pixel)), floor); }
  };
  // Of a vector of channels of one image.
  Pixel at(int64_t image, int64_t channel, int64_t lanes) const {
    const int64_t place = image / ghost * channels + channel;
    return {load_some(mean + place, lanes), load_some(factor + place, lanes),
            load_some(shift + channel, lanes), constant(relu ? 0 : -std::numeric_limits<double>::infinity())};
  }
};

// Copies `count` channels from `first` on of Rows x columns pixels from (row, column) on, each as `pixel`
// makes it; zero outside the image.
template <int Rows, class Pixel>
inline void copy_pixels(const Image& image, int64_t row, int64_t column, int64_t columns, int64_t first,
                        int64_t count, const Pixel& pixel, real* to) {
  const int64_t begin = std::clamp<int64_t>(-column, 0, columns),
                end = std::clamp<int64_t>(image.w - column, begin, columns);
  for (int64_t i = 0; i < Rows; ++i, to += columns * kLanes) {
    const bool exists = row + i >= 0 && row + i < image.h;
    const int64_t left = exists ? begin : columns, right = exists ? end : columns;
    const real* from = image.pixels + ((row + i) * image.w + column) * image.channels + first;
    for (int64_t j = 0; j < left; ++j) store(to + j * kLanes, zero());
    if (count >= kLanes)
      for (int64_t j = left; j < right; ++j) store(to + j * kLanes, pixel(load(from + j * image.channels)));
    else
      for (int64_t j = left; j < right; ++j)
        store(to + j * kLanes, pixel(load_some(from + j * image.channels, count)));
    for (int64_t j = right; j < columns; ++j) store(to + j * kLanes, zero());
  }
}

// Transforms the pixels of a strip's tiles, by transforms that are Spaced, for channels [first, last): point
// i of tile t and channel first + c goes to to[t * tile_stride + i * point_stride + c].
template <class Down, class Along, class Input>
[[gnu::flatten]] void transform_strip(const Image& image, const Input& input, const Strip& strip, int64_t row,
                                      int64_t column, int64_t first, int64_t last, real* to,
                                      int64_t tile_stride, int64_t point_stride) {
  constexpr int kBeyond = Along::kFrom - Along::kDistance;  // a strip's tiles, what the last needs
  alignas(64) real pixels[Down::kFrom * (kStripPixels + kBeyond) * kLanes];
  const int64_t columns = strip.tiles * Along::kDistance + kBeyond;
  for (int64_t c = first; c < last; c += kLanes, to += kLanes) {
    copy_pixels<Down::kFrom>(image, row + strip.row * Down::kDistance,
                             column + strip.column * Along::kDistance, columns, c, last - c,
                             input.at(strip.image, c, last - c), pixels);
    for (int64_t t = 0; t < strip.tiles; ++t) {
      const real* from = pixels + t * Along::kDistance * kLanes;
      real* tile = to + t * tile_stride;
      in_two_dimensions<Down, Along>([&](int i, int j) { return load(from + (i * columns + j) * kLanes); },
                                     [&](int i, int j, const Vector& value) {
                                       store(tile + (i * Along::kTo + j) * point_stride, value);
                                     });
    }
  }
}

}  // namespace crescendo::CRESCENDO_CPU::winograd
