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

#include "kernels/cpu/simd.h"
#include "kernels/geometry.h"

namespace crescendo::winograd {

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
  return 9 * rows * columns >= 2 * kMatrices * tiles && in >= 32 && out >= 32;
}

// Products of a point's differences from the other finite points: Lagrange's denominators.
constexpr double kAtZero = kA2 * kB2, kAtA = 2 * kA2 * (kA2 - kB2), kAtB = 2 * kB2 * (kB2 - kA2);

inline Vector constant(double value) { return Eigen::internal::pset1<Vector>(static_cast<real>(value)); }
inline Vector subtract(const Vector& x, const Vector& y) { return Eigen::internal::psub(x, y); }
inline Vector multiply(double factor, const Vector& x) { return Eigen::internal::pmul(constant(factor), x); }
inline Vector multiply_add(double factor, const Vector& x, const Vector& y) {
  return crescendo::multiply_add(constant(factor), x, y);
}

// B^T: six inputs of a line to the six points.
inline void transform_input(const Vector (&x)[kPoints], Vector (&y)[kPoints]) {
  const Vector even_a = multiply_add(-kB2, x[2], x[4]), odd_a = multiply_add(-kB2, x[1], x[3]);
  const Vector even_b = multiply_add(-kA2, x[2], x[4]), odd_b = multiply_add(-kA2, x[1], x[3]);
  y[0] = multiply_add(kA2 * kB2, x[0], multiply_add(-(kA2 + kB2), x[2], x[4]));
  y[1] = multiply_add(kA, odd_a, even_a);
  y[2] = multiply_add(-kA, odd_a, even_a);
  y[3] = multiply_add(kB, odd_b, even_b);
  y[4] = multiply_add(-kB, odd_b, even_b);
  y[5] = multiply_add(kA2 * kB2, x[1], multiply_add(-(kA2 + kB2), x[3], x[5]));
}

// G: the Taps coefficients of a filter, three or four, to the six points.
template <int Taps>
inline void transform_filter(const Vector (&x)[Taps], Vector (&y)[kPoints]) {
  static_assert(Taps == 3 || Taps == 4);
  const auto pair = [&](double point, double denominator, Vector& plus, Vector& minus) {
    const double p = point / denominator, p2 = p * point, p3 = p2 * point;
    const Vector even = multiply_add(1 / denominator, x[0], multiply(p2, x[2]));
    Vector odd = multiply(p, x[1]);
    if constexpr (Taps == 4) odd = multiply_add(p3, x[3], odd);
    plus = add(even, odd);
    minus = subtract(even, odd);
  };
  y[0] = multiply(1 / kAtZero, x[0]);
  pair(kA, kAtA, y[1], y[2]);
  pair(kB, kAtB, y[3], y[4]);
  y[5] = x[Taps - 1];
}

// A^T: the six products to the Outputs results, four or three.
template <int Outputs>
inline void transform_output(const Vector (&x)[kPoints], Vector (&y)[Outputs]) {
  static_assert(Outputs == 3 || Outputs == 4);
  const Vector sum_a = add(x[1], x[2]), difference_a = subtract(x[1], x[2]);
  const Vector sum_b = add(x[3], x[4]), difference_b = subtract(x[3], x[4]);
  y[0] = add(x[0], add(sum_a, sum_b));
  y[1] = multiply_add(kB, difference_b, multiply(kA, difference_a));
  y[2] = multiply_add(kB2, sum_b, multiply(kA2, sum_a));
  if constexpr (Outputs == 4) y[3] = multiply_add(kB * kB2, difference_b, multiply(kA * kA2, difference_a));
  y[Outputs - 1] = add(y[Outputs - 1], x[5]);
}

// A transform of lines, along both dimensions of a square: load(i, j) gives the From x From inputs,
// store(i, j, value) takes the To x To results.
template <int From, int To, class Line, class Load, class Store>
inline void in_two_dimensions(const Line& line, const Load& load, const Store& store) {
  Vector half[From][To];  // transformed along the rows' direction
  for (int j = 0; j < From; ++j) {
    Vector x[From], y[To];
    for (int i = 0; i < From; ++i) x[i] = load(i, j);
    line(x, y);
    for (int i = 0; i < To; ++i) half[j][i] = y[i];
  }
  for (int i = 0; i < To; ++i) {
    Vector x[From], y[To];
    for (int j = 0; j < From; ++j) x[j] = half[j][i];
    line(x, y);
    for (int j = 0; j < To; ++j) store(i, j, y[j]);
  }
}

// The tiles of 4x4 pixels that cover images of `rows` x `columns`, row after row, image after image.
struct TileGrid {
  int64_t rows, columns;  // tiles of one image

  TileGrid(int64_t image_rows, int64_t image_columns)
      : rows((image_rows + kTile - 1) / kTile), columns((image_columns + kTile - 1) / kTile) {}

  int64_t tiles(int64_t images) const { return images * rows * columns; }

  struct Place {
    int64_t image, row, column;  // of the tile's first pixel
  };
  Place place(int64_t tile) const {
    return {tile / (rows * columns), tile / columns % rows * kTile, tile % columns * kTile};
  }
};

struct Image {
  const real* pixels;  // [h,w,channels]
  int64_t h, w, channels;
};

// Transforms Size x Size pixels from (row, column) on, zero outside the image, for all channels in [first,
// last): point i of channel first + c goes to to[i * point_stride + c].
template <int Size, class Line>
void transform_pixels(const Image& image, int64_t row, int64_t column, int64_t first, int64_t last,
                      const Line& line, real* to, int64_t point_stride) {
  const bool inside = row >= 0 && row + Size <= image.h && column >= 0 && column + Size <= image.w;
  for (int64_t c = first; c < last; c += kLanes, to += kLanes) {
    const int64_t corner = (row * image.w + column) * image.channels + c;
    const auto place = [&](int i, int j) {
      return image.pixels + (corner + (i * image.w + j) * image.channels);
    };
    const auto put = [&](int i, int j, const Vector& value) {
      store(to + (i * kPoints + j) * point_stride, value);
    };
    if (inside && last - c >= kLanes) {
      in_two_dimensions<Size, kPoints>(
          line, [&](int i, int j) { return load(place(i, j)); }, put);
      continue;
    }
    in_two_dimensions<Size, kPoints>(
        line,
        [&](int i, int j) {
          const bool exists = row + i >= 0 && row + i < image.h && column + j >= 0 && column + j < image.w;
          return exists ? load_some(place(i, j), last - c) : zero();
        },
        put);
  }
}

}  // namespace crescendo::winograd
