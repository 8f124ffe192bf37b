// Two-dimensional Winograd algorithms, composed of two one-dimensional ones (winograd_transforms.h): one down
// the columns and one along the rows. The algorithm for a single tap changes nothing, so a filter of one row
// or one column is transformed in one dimension only.
#pragma once

#include <span>
#include <utility>

#include "kernels/cpu/winograd_transforms.h"
#include "kernels/geometry.h"

namespace crescendo::CRESCENDO_CPU::winograd {

// A transform of image tiles that are Distance pixels apart.
template <class Transform, int Distance>
struct Spaced : Transform {
  static constexpr int kDistance = Distance;
};

// One-dimensional algorithms, as sets of transforms:
//   Source, Filter   the operands of a convolution
//   Target           its products, which become outputs
//   Gradient         the gradient of the outputs, which acts as the filter in a weight gradient
//   FilterGradient   the products of Source and Gradient, which become the gradient of the filter
// kTile is the number of outputs of a tile; in backward data with stride 2, the number of pairs of outputs.
struct OneTap {
  using Source = Spaced<Identity, 1>;
  using Filter = Identity;
  using Target = Identity;
  using Gradient = Spaced<Identity, 1>;
  using FilterGradient = Identity;
  static constexpr int kTile = 1;
};
struct ThreeTaps {
  using Source = Spaced<InputTransform<SixPoints>, 4>;
  using Filter = FilterTransform<3, SixPoints>;
  using Target = OutputTransform<4, SixPoints>;
  using Gradient = Spaced<FilterTransform<4, SixPoints>, 4>;
  using FilterGradient = OutputTransform<3, SixPoints>;
  static constexpr int kTile = 4;
};
struct SevenTaps {
  using Source = Spaced<InputTransform<NinePoints>, 3>;
  using Filter = FilterTransform<7, NinePoints>;
  using Target = OutputTransform<3, NinePoints>;
  using Gradient = Spaced<FilterTransform<3, NinePoints>, 3>;
  using FilterGradient = OutputTransform<7, NinePoints>;
  static constexpr int kTile = 3;
};
struct ThreeTapsStrideTwo {
  using Source = Spaced<WithPlain<InputTransform<FivePoints>, 2, 4>, 8>;
  using Filter = WithPlain<FilterTransform<2, FivePoints>, 2, 1>;
  using Target = SummedOutput;
  using Gradient = Spaced<WithPlain<FilterTransform<4, FivePoints>, 1, 4>, 4>;
  using FilterGradient = TapsOutput;
  static constexpr int kTile = 4;
};
// Backward data with stride 2: the target is twice as large as the source.
struct ThreeTapsStrideTwoBackward {
  using Source = Spaced<WithPlain<InputTransform<FivePoints>, 1, 4>, 4>;
  using Filter = ThreeTapsStrideTwo::Filter;
  using Target = InterleavedOutput;
  static constexpr int kTile = 4;
};

// A two-dimensional algorithm.
template <class DownColumns, class AlongRows>
struct Rectangle {
  using Down = DownColumns;
  using Along = AlongRows;
  static constexpr int64_t kTaps = Down::Filter::kFrom * Along::Filter::kFrom;
  static constexpr int64_t kMatrices = Down::Source::kTo * Along::Source::kTo;        // one for each point
  static constexpr int64_t kWeightMatrices = Down::Filter::kTo * Along::Filter::kTo;  // one for each class
};
template <class Line>
using Square = Rectangle<Line, Line>;

using UnitStride = Square<ThreeTaps>;
using StrideTwo = Square<ThreeTapsStrideTwo>;
using StrideTwoBackward = Square<ThreeTapsStrideTwoBackward>;

// Returns true if there is an algorithm for filters of taps_h x taps_w taps with equal strides.
inline bool is_defined(int64_t taps_h, int64_t taps_w, int64_t stride) {
  if (taps_h == 3 && taps_w == 3) return stride <= 2;
  const int64_t taps = taps_h * taps_w;
  return stride == 1 && (taps_h == 1 || taps_w == 1) && (taps == 3 || taps == 7);
}

// Returns f(algorithm) with the algorithm for stride 1 and this filter. There must be one.
template <class F>
auto with_unit_stride(int64_t taps_h, int64_t taps_w, const F& f) {
  if (taps_h == 7) return f(Rectangle<SevenTaps, OneTap>());
  if (taps_w == 7) return f(Rectangle<OneTap, SevenTaps>());
  if (taps_h == 1) return f(Rectangle<OneTap, ThreeTaps>());
  if (taps_w == 1) return f(Rectangle<ThreeTaps, OneTap>());
  return f(UnitStride());
}

// Returns true if Algorithm should compute targets of `rows` x `columns` pixels, counted as kTile counts
// them. With ConvolutionAlgorithm::automatic it should if direct convolution needs at least `saving` times as
// many products, and if both sides have enough channels: a channel is transformed once for all channels of
// the other side.
template <class Algorithm>
bool chosen(ConvolutionAlgorithm algorithm, double saving, int64_t rows, int64_t columns, int64_t in,
            int64_t out) {
  if (algorithm != ConvolutionAlgorithm::automatic) return algorithm == ConvolutionAlgorithm::winograd;
  constexpr int64_t kRows = Algorithm::Down::kTile, kColumns = Algorithm::Along::kTile;
  const int64_t tiles = (rows + kRows - 1) / kRows * ((columns + kColumns - 1) / kColumns);
  return static_cast<double>(Algorithm::kTaps * rows * columns) >=
             saving * static_cast<double>(Algorithm::kMatrices * tiles) &&
         in >= 16 && out >= 16;
}

// Calls f(class, points) for each class of points of a two-dimensional algorithm. All points of a class share
// one matrix of transformed weights.
template <class Algorithm, class F>
void each_class(const F& f) {
  constexpr int64_t kRows = Algorithm::Down::Source::kTo, kColumns = Algorithm::Along::Source::kTo;
  constexpr int64_t kRowClasses = Algorithm::Down::Filter::kTo,
                    kColumnClasses = Algorithm::Along::Filter::kTo;
  // The last class takes all remaining points.
  const auto end = [](int64_t of, int64_t classes, int64_t points) {
    return of < classes - 1 ? of + 1 : points;
  };
  for (int64_t row = 0; row < kRowClasses; ++row)
    for (int64_t column = 0; column < kColumnClasses; ++column) {
      std::array<int64_t, (kRows - kRowClasses + 1) * (kColumns - kColumnClasses + 1)> points;
      size_t count = 0;
      for (int64_t i = row; i < end(row, kRowClasses, kRows); ++i)
        for (int64_t j = column; j < end(column, kColumnClasses, kColumns); ++j)
          points[count++] = i * kColumns + j;
      f(row * kColumnClasses + column, std::span<const int64_t>(points.data(), count));
    }
}

// Transforms a rectangle of vectors: Down transforms its columns, then Along its rows. load(i, j) returns an
// input; store(i, j, value) takes a result.
template <class Down, class Along, class Load, class Store>
inline void in_two_dimensions(const Load& load, const Store& store) {
  repeat<static_cast<int>(Down::kGroups.size())>([&](auto group) {
    constexpr Group kRows = Down::kGroups[group()];
    Vector half[Down::kTo][Along::kFrom];  // only the group's rows are set
    repeat<Along::kFrom>([&](auto j) {
      Down::template group<group()>([&](int i) { return load(i, j()); },
                                    [&](int i, const Vector& value) { half[i][j()] = value; });
    });
    repeat<kRows.count>([&](auto which) {
      constexpr int i = kRows[which()];
      repeat<static_cast<int>(Along::kGroups.size())>([&](auto inner) {
        Along::template group<inner()>([&](int j) { return half[i][j]; },
                                       [&](int j, const Vector& value) { store(i, j, value); });
      });
    });
  });
}

}  // namespace crescendo::CRESCENDO_CPU::winograd
