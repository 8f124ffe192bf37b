// Input transforms of Winograd's algorithm: division of images into tiles and strips of neighbouring tiles,
// operations on the pixels before a transform, and the transform of a strip.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/winograd_algorithms.h"

namespace crescendo::CRESCENDO_CPU::winograd {

// Padding between rows and between matrices.
// Distances that are powers of two would map to the same sets of the cache.
constexpr int64_t kSkew = 16;

// Largest width of a strip, in source pixels.
constexpr int64_t kStripPixels = 32;

// Neighbouring tiles of one row of tiles.
struct Strip {
  int64_t image, row, column;  // of the first tile; row and column count tiles
  int64_t tiles;
};

// The tiles that cover each image of a batch, in strips. Strips are numbered along a row, row after row,
// image after image.
class StripGrid {
 public:
  // Returns the grid for images of image_rows x image_columns target pixels.
  template <class Algorithm>
  static StripGrid of(int64_t image_rows, int64_t image_columns) {
    return {image_rows, image_columns, Algorithm::Down::kTile, Algorithm::Along::kTile,
            Algorithm::Along::Source::kDistance};
  }

  // Calls f(index of the tile, number of its pixels) for each tile of an image.
  template <class F>
  void each_tile(int64_t image, const F& f) const {
    for (int64_t row = 0; row < rows_; ++row)
      for (int64_t column = 0; column < columns_; ++column)
        f(tile(image, row, column), std::min(tile_rows_, image_rows_ - row * tile_rows_) *
                                        std::min(tile_columns_, image_columns_ - column * tile_columns_));
  }

  // Returns the index of the tile in a row and a column of tiles.
  int64_t tile(int64_t image, int64_t row, int64_t column) const {
    return (image * rows_ + row) * columns_ + column;
  }
  int64_t strips(int64_t images) const { return images * rows_ * strips_; }
  int64_t strip_tiles() const { return (columns_ + strips_ - 1) / strips_; }  // largest

  Strip strip(int64_t index) const {
    const int64_t along = index % strips_, first = columns_ * along / strips_;
    return {.image = index / strips_ / rows_,
            .row = index / strips_ % rows_,
            .column = first,
            .tiles = columns_ * (along + 1) / strips_ - first};
  }

 private:
  // Tiles are `distance` pixels apart along a row of the source.
  StripGrid(int64_t image_rows, int64_t image_columns, int64_t tile_rows, int64_t tile_columns,
            int64_t distance)
      : image_rows_(image_rows),
        image_columns_(image_columns),
        tile_rows_(tile_rows),
        tile_columns_(tile_columns),
        rows_((image_rows + tile_rows - 1) / tile_rows),
        columns_((image_columns + tile_columns - 1) / tile_columns),
        strips_((columns_ + kStripPixels / distance - 1) / (kStripPixels / distance)) {}

  int64_t image_rows_, image_columns_, tile_rows_, tile_columns_;  // pixels
  int64_t rows_, columns_;                                         // tiles of one image
  int64_t strips_;                                                 // strips of one row of tiles
};

// An image; in a batch, the following images are contiguous.
struct Image {
  const real* pixels;  // [h,w,channels]
  int64_t h, w, channels;

  // Returns the image `images` further on.
  Image next(int64_t images) const { return {pixels + images * h * w * channels, h, w, channels}; }
};

// Returns a prefetch of the pixels that transform_strip reads for strips [lower, upper). A tile has `size`
// rows; rows of tiles are `distance` apart and begin at row `row` of the image. `first` is the first image of
// the batch; if it has no pixels, the prefetch is empty.
inline Prefetch prefetch_strips(const StripGrid& grid, const Image& first, int64_t lower, int64_t upper,
                                int64_t row, int64_t size, int64_t distance, int64_t steps) {
  if (lower >= upper || first.pixels == nullptr) return {};
  const auto place = [&](const Strip& strip, int64_t below) {
    const int64_t h = std::clamp<int64_t>(strip.row * distance + row + below, 0, first.h);
    return first.pixels + (strip.image * first.h + h) * first.w * first.channels;
  };
  return {place(grid.strip(lower), 0), place(grid.strip(upper - 1), size), steps};
}

// ---- Operations on an image's pixels before a transform

// Leaves the pixels unchanged.
struct AsTheyAre {
  AsTheyAre at(int64_t, int64_t, int64_t) const { return {}; }
  Vector operator()(const Vector& pixel) const { return pixel; }
};

// Normalises the pixels and, if `relu`, applies the ReLU. factor [ghosts,c] comes from norm_factors.
struct Normalised {
  const real *mean, *factor, *shift;
  int64_t ghost, channels;
  bool relu;

  // The constants of one vector of channels. A call normalises the channels of one pixel.
  struct Pixel {
    Vector mean, factor, shift, floor;
    Vector centred(const Vector& pixel) const { return subtract(pixel, mean); }
    Vector linear(const Vector& centred) const { return CRESCENDO_CPU::multiply_add(centred, factor, shift); }
    Vector operator()(const Vector& pixel) const { return max(linear(centred(pixel)), floor); }
  };
  // Returns the constants of an image's vector of channels that starts at `channel`.
  Pixel at(int64_t image, int64_t channel, int64_t lanes) const {
    const int64_t place = image / ghost * channels + channel;
    return {load_some(mean + place, lanes), load_some(factor + place, lanes),
            load_some(shift + channel, lanes), constant(relu ? 0 : -std::numeric_limits<double>::infinity())};
  }
};

// Copies Rows x columns pixels, which begin at (row, column), and applies `pixel` to each. Takes the vector
// of channels that begins at `first`, of which `count` exist. Pixels outside the image are zero.
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

// Transforms channels [first, last) of a strip's tiles. Down and Along are Spaced transforms. Point i of tile
// t and channel first + c goes to to[t * tile_stride + i * point_stride + c].
template <class Down, class Along, class Input>
[[gnu::flatten]] void transform_strip(const Image& image, const Input& input, const Strip& strip, int64_t row,
                                      int64_t column, int64_t first, int64_t last, real* to,
                                      int64_t tile_stride, int64_t point_stride) {
  constexpr int kBeyond = Along::kFrom - Along::kDistance;  // pixels of the last tile beyond the strip
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
