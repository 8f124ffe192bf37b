// Winograd's minimal filtering, Lavin & Gray 2016 (arXiv 1509.09308): four outputs of a filter of three taps,
// or three of a filter of four, from six products instead of twelve; in two dimensions from 36 instead of
// 144.
//
// Both are one polynomial product, evaluated at six points: 0, +a, -a, +b, -b and infinity, with a = 3/4 and
// b = 3/2. Pairs of opposite points share half their work; these two keep fp32's error at half of that of the
// textbook's 0, +-1, +-2, infinity, and every constant but those of the filter is exact
// (docs/derivations/winograd.md).
//   output = A^T [(G filter) * (B^T input)], * element by element
// in each dimension. A line is six (or fewer) vectors, each a lane a channel.
#pragma once

#include <iterator>
#include <limits>
#include <utility>

#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/simd.h"
#include "kernels/geometry.h"

namespace crescendo::CRESCENDO_CPU::winograd {

constexpr int kPoints = 6;
constexpr int kTile = 4;                          // outputs of a tile, in each dimension
constexpr int64_t kMatrices = kPoints * kPoints;  // one a point of the square
// Powers of two between rows or matrices would collide in the cache's sets.
constexpr int64_t kSkew = 16;

constexpr double kA = 0.75, kB = 1.5, kA2 = kA * kA, kB2 = kB * kB;
// Whether to use it for images of rows x columns outputs: automatic where it saves half the products or more,
// and the transforms, which every channel needs once, are shared by enough channels of the other side.
inline bool chosen(ConvolutionAlgorithm algorithm, int64_t rows, int64_t columns, int64_t in, int64_t out) {
  if (algorithm != ConvolutionAlgorithm::automatic) return algorithm == ConvolutionAlgorithm::winograd;
  const int64_t tiles = (rows + kTile - 1) / kTile * ((columns + kTile - 1) / kTile);
  return 9 * rows * columns >= 2 * kMatrices * tiles && in >= 16 && out >= 16;
}

// Products of a point's differences from the other finite points: Lagrange's denominators.
constexpr double kAtZero = kA2 * kB2, kAtA = 2 * kA2 * (kA2 - kB2), kAtB = 2 * kB2 * (kB2 - kA2);

inline Vector constant(double value) { return Eigen::internal::pset1<Vector>(static_cast<real>(value)); }
inline Vector multiply(double factor, const Vector& x) {
  return CRESCENDO_CPU::multiply(constant(factor), x);
}
inline Vector multiply_add(double factor, const Vector& x, const Vector& y) {
  return CRESCENDO_CPU::multiply_add(constant(factor), x, y);
}

// The transforms of a line. Results that share work form a group: group<I>(x, y) reads inputs as x(i) and
// gives the group's results as y(i, value). A matrix passes through registers group by group.

// B^T: six inputs to the six points.
struct InputTransform {
  static constexpr int kFrom = kPoints, kTo = kPoints;
  static constexpr int kGroups[][2] = {{0, 0}, {1, 2}, {3, 4}, {5, 5}};

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    if constexpr (I == 0) y(0, end(x(0), x(2), x(4)));
    if constexpr (I == 1) pair<1>(kA, kB2, x, y);
    if constexpr (I == 2) pair<3>(kB, kA2, x, y);
    if constexpr (I == 3) y(5, end(x(1), x(3), x(5)));
  }

 private:
  static Vector end(const Vector& first, const Vector& second, const Vector& third) {
    return multiply_add(kA2 * kB2, first, multiply_add(-(kA2 + kB2), second, third));
  }
  template <int First, class X, class Y>
  static void pair(double point, double square_of_other, const X& x, const Y& y) {
    const Vector even = multiply_add(-square_of_other, x(2), x(4));
    const Vector odd = multiply_add(-square_of_other, x(1), x(3));
    y(First, multiply_add(point, odd, even));
    y(First + 1, multiply_add(-point, odd, even));
  }
};

// G: the Taps coefficients of a filter, three or four, to the six points.
template <int Taps>
struct FilterTransform {
  static_assert(Taps == 3 || Taps == 4);
  static constexpr int kFrom = Taps, kTo = kPoints;
  static constexpr int kGroups[][2] = {{0, 0}, {1, 2}, {3, 4}, {5, 5}};

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    if constexpr (I == 0) y(0, multiply(1 / kAtZero, x(0)));
    if constexpr (I == 1) pair<1>(kA, kAtA, x, y);
    if constexpr (I == 2) pair<3>(kB, kAtB, x, y);
    if constexpr (I == 3) y(5, x(Taps - 1));
  }

 private:
  template <int First, class X, class Y>
  static void pair(double point, double denominator, const X& x, const Y& y) {
    const double p = point / denominator, p2 = p * point, p3 = p2 * point;
    const Vector even = multiply_add(1 / denominator, x(0), multiply(p2, x(2)));
    Vector odd = multiply(p, x(1));
    if constexpr (Taps == 4) odd = multiply_add(p3, x(3), odd);
    y(First, add(even, odd));
    y(First + 1, subtract(even, odd));
  }
};

// A^T: the six products to the Outputs results, four or three.
template <int Outputs>
struct OutputTransform {
  static_assert(Outputs == 3 || Outputs == 4);
  static constexpr int kFrom = kPoints, kTo = Outputs;
  static constexpr int kGroups[][2] = {{0, 2}, {1, Outputs == 4 ? 3 : 1}};

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    const auto even_or_odd = [](const Vector& a, const Vector& b) {
      return I == 0 ? add(a, b) : subtract(a, b);
    };
    const Vector a = even_or_odd(x(1), x(2)), b = even_or_odd(x(3), x(4));
    if constexpr (I == 0) {
      y(0, add(x(0), add(a, b)));
      const Vector second = multiply_add(kB2, b, multiply(kA2, a));
      y(2, Outputs == 3 ? add(second, x(5)) : second);
    } else {
      y(1, multiply_add(kB, b, multiply(kA, a)));
      if constexpr (Outputs == 4) y(3, multiply_add(kB * kB2, b, multiply_add(kA * kA2, a, x(5))));
    }
  }
};

// A transform of lines, along both dimensions of a square: load(i, j) gives the inputs, store(i, j, value)
// takes the results.
template <class Transform, class Load, class Store>
inline void in_two_dimensions(const Load& load, const Store& store) {
  constexpr int kGroupCount = static_cast<int>(std::size(Transform::kGroups));
  repeat<kGroupCount>([&](auto group) {
    constexpr auto& kRows = Transform::kGroups[group()];
    Vector half[Transform::kTo][Transform::kFrom];  // of the group's rows alone
    repeat<Transform::kFrom>([&](auto j) {
      Transform::template group<group()>([&](int i) { return load(i, j()); },
                                         [&](int i, const Vector& value) { half[i][j()] = value; });
    });
    repeat<(kRows[0] == kRows[1] ? 1 : 2)>([&](auto which) {
      constexpr int i = kRows[which()];
      repeat<kGroupCount>([&](auto inner) {
        Transform::template group<inner()>([&](int j) { return half[i][j]; },
                                           [&](int j, const Vector& value) { store(i, j, value); });
      });
    });
  });
}

// The tiles of 4x4 pixels that cover images of `rows` x `columns`, in strips: up to kStripTiles neighbours of
// one row of tiles. Strips are counted along a row, row after row, image after image.
constexpr int64_t kStripTiles = 8;

struct Strip {
  int64_t image, row, column;  // of its first pixel
  int64_t tiles;
};

class StripGrid {
 public:
  StripGrid(int64_t image_rows, int64_t image_columns)
      : rows_((image_rows + kTile - 1) / kTile),
        columns_((image_columns + kTile - 1) / kTile),
        strips_((columns_ + kStripTiles - 1) / kStripTiles) {}

  int64_t tiles_of_image() const { return rows_ * columns_; }
  // Of the tile whose first pixel is (row, column), counted from the first image's first.
  int64_t tile(int64_t image, int64_t row, int64_t column) const {
    return (image * rows_ + row / kTile) * columns_ + column / kTile;
  }
  int64_t strips(int64_t images) const { return images * rows_ * strips_; }
  int64_t strip_tiles() const { return (columns_ + strips_ - 1) / strips_; }  // at most

  Strip strip(int64_t index) const {
    const int64_t along = index % strips_, first = columns_ * along / strips_;
    return {.image = index / strips_ / rows_,
            .row = index / strips_ % rows_ * kTile,
            .column = first * kTile,
            .tiles = columns_ * (along + 1) / strips_ - first};
  }

 private:
  int64_t rows_, columns_;  // tiles of one image
  int64_t strips_;          // of one row
};

struct Image {
  const real* pixels;  // [h,w,channels]
  int64_t h, w, channels;

  Image next(int64_t images) const { return {pixels + images * h * w * channels, h, w, channels}; }
};

// What transform_strip reads for the strips [from, to), for squares of `size` pixels that start `first_row`
// rows below their tiles. `first` is the first image.
inline Prefetch prefetch_strips(const StripGrid& grid, const Image& first, int64_t from, int64_t to,
                                int64_t first_row, int64_t size, int64_t steps) {
  if (from >= to || first.pixels == nullptr) return {};
  const auto place = [&](const Strip& strip, int64_t row) {
    const int64_t rows = strip.image * first.h + std::clamp<int64_t>(strip.row + row, 0, first.h);
    return first.pixels + rows * first.w * first.channels;
  };
  return {place(grid.strip(from), first_row), place(grid.strip(to - 1), first_row + size), steps};
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

// Transforms the squares of pixels of a strip's tiles, Transform::kFrom wide and kTile apart, from (row,
// column) on, for channels [first, last): point i of tile t and channel first + c goes to to[t * tile_stride
// + i * point_stride + c].
template <class Transform, class Input>
void transform_strip(const Image& image, const Input& input, const Strip& strip, int64_t row, int64_t column,
                     int64_t first, int64_t last, real* to, int64_t tile_stride, int64_t point_stride) {
  constexpr int kSize = Transform::kFrom;
  alignas(64) real pixels[kSize * (kStripTiles * kTile + kSize - kTile) * kLanes];
  const int64_t columns = strip.tiles * kTile + kSize - kTile;
  for (int64_t c = first; c < last; c += kLanes, to += kLanes) {
    copy_pixels<kSize>(image, row, column, columns, c, last - c, input.at(strip.image, c, last - c), pixels);
    for (int64_t t = 0; t < strip.tiles; ++t) {
      const real* from = pixels + t * kTile * kLanes;
      real* tile = to + t * tile_stride;
      in_two_dimensions<Transform>(
          [&](int i, int j) { return load(from + (i * columns + j) * kLanes); },
          [&](int i, int j, const Vector& value) { store(tile + (i * kPoints + j) * point_stride, value); });
    }
  }
}

}  // namespace crescendo::CRESCENDO_CPU::winograd
