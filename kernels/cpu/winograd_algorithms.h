// Which transforms make a convolution by Winograd's algorithm, and how they are applied to rectangles: a line
// algorithm down the columns and one along the rows. That of a single tap leaves its dimension as it is, so a
// filter of one row or one column is transformed in one dimension only.
#pragma once

#include <span>
#include <utility>

#include "kernels/cpu/winograd_transforms.h"
#include "kernels/geometry.h"

namespace crescendo::CRESCENDO_CPU::winograd {

// A transform of an image, whose tiles lie Distance pixels apart.
template <class Transform, int Distance>
struct Spaced : Transform {
  static constexpr int kDistance = Distance;
};

// A line algorithm's transforms: of source and filter, and of their products to the target; of the target's
// gradient as a filter, and of its products with the source to the filter's gradient. kTile: outputs of a
// tile (with backward data of stride 2, places of two).
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
// Backward data: the target is twice as large as the source.
struct ThreeTapsStrideTwoBackward {
  using Source = Spaced<WithPlain<InputTransform<FivePoints>, 1, 4>, 4>;
  using Filter = ThreeTapsStrideTwo::Filter;
  using Target = InterleavedOutput;
  static constexpr int kTile = 4;
};

template <class DownColumns, class AlongRows>
struct Rectangle {
  using Down = DownColumns;
  using Along = AlongRows;
  static constexpr int64_t kTaps = Down::Filter::kFrom * Along::Filter::kFrom;
  static constexpr int64_t kMatrices = Down::Source::kTo * Along::Source::kTo;        // points
  static constexpr int64_t kWeightMatrices = Down::Filter::kTo * Along::Filter::kTo;  // their classes
};
template <class Line>
using Square = Rectangle<Line, Line>;

using UnitStride = Square<ThreeTaps>;
using StrideTwo = Square<ThreeTapsStrideTwo>;
using StrideTwoBackward = Square<ThreeTapsStrideTwoBackward>;

// Whether there is an algorithm for a filter of so many taps and equal strides.
inline bool is_defined(int64_t taps_h, int64_t taps_w, int64_t stride) {
  if (taps_h == 3 && taps_w == 3) return stride <= 2;
  const int64_t taps = taps_h * taps_w;
  return stride == 1 && (taps_h == 1 || taps_w == 1) && (taps == 3 || taps == 7);
}

// f(the algorithm of stride 1), of a filter that has one.
template <class F>
auto with_unit_stride(int64_t taps_h, int64_t taps_w, const F& f) {
  if (taps_h == 7) return f(Rectangle<SevenTaps, OneTap>());
  if (taps_w == 7) return f(Rectangle<OneTap, SevenTaps>());
  if (taps_h == 1) return f(Rectangle<OneTap, ThreeTaps>());
  if (taps_w == 1) return f(Rectangle<ThreeTaps, OneTap>());
  return f(UnitStride());
}

// Whether to use it for images of `rows` x `columns` tiles' pixels: automatic where direct convolution has at
// least `saving` times its products, and the transforms, which every channel needs once, are shared by enough
// channels of the other side.
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

// f(class, its points) for each class of the points of a rectangle.
template <class Algorithm, class F>
void each_class(const F& f) {
  constexpr int64_t kRows = Algorithm::Down::Source::kTo, kColumns = Algorithm::Along::Source::kTo;
  constexpr int64_t kRowClasses = Algorithm::Down::Filter::kTo,
                    kColumnClasses = Algorithm::Along::Filter::kTo;
  // The last class has all points that are left.
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

// Down transforms the columns of a rectangle and Along its rows: load(i, j) gives the inputs, store(i, j,
// value) takes the results.
template <class Down, class Along, class Load, class Store>
inline void in_two_dimensions(const Load& load, const Store& store) {
  repeat<static_cast<int>(Down::kGroups.size())>([&](auto group) {
    constexpr Group kRows = Down::kGroups[group()];
    Vector half[Down::kTo][Along::kFrom];  // of the group's rows alone
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
