// Winograd's minimal filtering, Lavin & Gray 2016 (arXiv 1509.09308): four outputs of a filter of three taps,
// or three of a filter of four, from six products instead of twelve; in two dimensions from 36 instead of
// 144.
//
// Both are one polynomial product, evaluated at six points: 0, +a, -a, +b, -b and infinity. Pairs of opposite
// points share half their work; the values of a and b keep fp32's rounding errors small, and every constant
// but those of the filter is exact (docs/derivations/winograd.md).
//   output = A^T [(G filter) * (B^T input)], * element by element
// in each dimension.
//
// With stride 2 the first and the last tap meet every other input, and the middle one the inputs between:
// four outputs are those of a filter of two taps, from five points, plus four products as they are, nine in
// all instead of twelve, in two dimensions 81 instead of 144. The four plain products share their filter, so
// the points of a line fall into six classes, as many as with stride 1.
//
// A line is as many vectors as it has elements, each a lane a channel.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "kernels/cpu/simd.h"
#include "kernels/geometry.h"

namespace crescendo::CRESCENDO_CPU::winograd {

constexpr int kTile = 4;     // outputs of a tile, in each dimension
constexpr int kClasses = 6;  // of points, in each dimension
constexpr int64_t kWeightMatrices = kClasses * kClasses;

inline Vector constant(double value) { return Eigen::internal::pset1<Vector>(static_cast<real>(value)); }
inline Vector multiply(double factor, const Vector& x) {
  return CRESCENDO_CPU::multiply(constant(factor), x);
}
inline Vector multiply_add(double factor, const Vector& x, const Vector& y) {
  return CRESCENDO_CPU::multiply_add(constant(factor), x, y);
}

// The results of a transform that share work form a group. A matrix passes through registers group by group:
// group<I>(x, y) reads inputs as x(i) and gives the results of group I as y(i, value).
using Group = std::array<int, 2>;  // its results; twice the same where it has one

// The points: 0 with Six alone, then +a, -a, +b, -b, infinity.
struct Six {
  static constexpr int kZeros = 1, kCount = 6;
  static constexpr double kA = 0.75, kB = 1.5;
  static constexpr std::array<Group, 4> kGroups = {{{0, 0}, {1, 2}, {3, 4}, {5, 5}}};
};
struct Five {
  static constexpr int kZeros = 0, kCount = 5;
  static constexpr double kA = 0.5, kB = 1.25;
  static constexpr std::array<Group, 3> kGroups = {{{0, 1}, {2, 3}, {4, 4}}};
};

// f(first, point, other) for the group of a pair of points and the index of its first result, otherwise
// at_zero() or at_infinity(last result).
template <class Points, int I, class AtZero, class Pair, class AtInfinity>
inline void by_group(const AtZero& at_zero, const Pair& pair, const AtInfinity& at_infinity) {
  constexpr int kZeros = Points::kZeros;
  if constexpr (I < kZeros) at_zero();
  if constexpr (I == kZeros) pair(kZeros, Points::kA, Points::kB);
  if constexpr (I == kZeros + 1) pair(kZeros + 2, Points::kB, Points::kA);
  if constexpr (I == kZeros + 2) at_infinity(kZeros + 4);
}

// B^T: as many inputs as points, to the points.
template <class Points>
struct InputTransform {
  static constexpr int kFrom = Points::kCount, kTo = Points::kCount;
  static constexpr auto kGroups = Points::kGroups;

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    constexpr int z = Points::kZeros;
    by_group<Points, I>([&] { y(0, end(x(0), x(2), x(4))); },
                        [&](int first, double point, double other) {
                          const Vector even = multiply_add(-other * other, x(z + 1), x(z + 3));
                          const Vector odd = multiply_add(-other * other, x(z), x(z + 2));
                          y(first, multiply_add(point, odd, even));
                          y(first + 1, multiply_add(-point, odd, even));
                        },
                        [&](int last) { y(last, end(x(z), x(z + 2), x(z + 4))); });
  }

 private:
  static constexpr double kA2 = Points::kA * Points::kA, kB2 = Points::kB * Points::kB;
  static Vector end(const Vector& first, const Vector& second, const Vector& third) {
    return multiply_add(kA2 * kB2, first, multiply_add(-(kA2 + kB2), second, third));
  }
};

// G: the Taps coefficients of a filter to the points.
template <int Taps, class Points>
struct FilterTransform {
  static_assert(2 <= Taps && Taps <= 4);
  static constexpr int kFrom = Taps, kTo = Points::kCount;
  static constexpr auto kGroups = Points::kGroups;

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    by_group<Points, I>(
        [&] { y(0, multiply(1 / (Points::kA * Points::kA * Points::kB * Points::kB), x(0))); },
        [&](int first, double point, double other) {
          // Lagrange's: the product of the point's differences from the other finite points. That of the
          // opposite point is the same with point 0, otherwise its negative.
          const double differences =
              2 * (point * point - other * other) * (Points::kZeros == 1 ? point * point : point);
          const double p = point / differences, p2 = p * point, p3 = p2 * point;
          Vector even = multiply(1 / differences, x(0)), odd = multiply(p, x(1));
          if constexpr (Taps >= 3) even = multiply_add(p2, x(2), even);
          if constexpr (Taps == 4) odd = multiply_add(p3, x(3), odd);
          y(first, add(even, odd));
          y(first + 1, Points::kZeros == 1 ? subtract(even, odd) : subtract(odd, even));
        },
        [&](int last) { y(last, x(Taps - 1)); });
  }
};

// A^T: the products at the points to the Outputs results.
template <int Outputs, class Points>
struct OutputTransform {
  static_assert(2 <= Outputs && Outputs <= 4);
  static constexpr int kFrom = Points::kCount, kTo = Outputs;
  // Even and odd results.
  static constexpr std::array<Group, 2> kGroups = {{{0, Outputs > 2 ? 2 : 0}, {1, Outputs == 4 ? 3 : 1}}};

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    constexpr int z = Points::kZeros;
    constexpr double kA = Points::kA, kB = Points::kB;
    const auto even_or_odd = [](const Vector& p, const Vector& opposite) {
      return I == 0 ? add(p, opposite) : subtract(p, opposite);
    };
    const Vector a = even_or_odd(x(z), x(z + 1)), b = even_or_odd(x(z + 2), x(z + 3));
    const auto with_infinity = [&](int i, const Vector& value) {
      y(i, i == Outputs - 1 ? add(value, x(z + 4)) : value);
    };
    const auto power = [&](double pa, double pb) { return multiply_add(pb, b, multiply(pa, a)); };
    if constexpr (I == 0) {
      y(0, z == 1 ? add(x(0), add(a, b)) : add(a, b));
      if constexpr (Outputs > 2) with_infinity(2, power(kA * kA, kB * kB));
    } else {
      with_infinity(1, power(kA, kB));
      if constexpr (Outputs == 4) with_infinity(3, power(kA * kA * kA, kB * kB * kB));
    }
  }
};

// With stride 2: what Transform makes of every Step-th input, for the first and the last tap; behind it, for
// the middle tap, the first `Plain` of the inputs between as they are (with Step 1, of the same inputs).
template <class Transform, int Step, int Plain>
struct WithPlain {
  static constexpr int kFrom = std::max((Transform::kFrom - 1) * Step + 1, Plain*Step),
                       kTo = Transform::kTo + Plain;
  static constexpr int kPointGroups = static_cast<int>(Transform::kGroups.size());
  static constexpr auto kGroups = [] {
    std::array<Group, kPointGroups + (Plain + 1) / 2> groups{};
    auto* next = std::copy(Transform::kGroups.begin(), Transform::kGroups.end(), groups.begin());
    for (int i = 0; i < Plain; i += 2)
      *next++ = {Transform::kTo + i, Transform::kTo + std::min(i + 1, Plain - 1)};
    return groups;
  }();

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    if constexpr (I < kPointGroups)
      Transform::template group<I>([&](int i) { return x(i * Step); }, y);
    else
      for (int i = (I - kPointGroups) * 2; i < std::min((I - kPointGroups) * 2 + 2, Plain); ++i)
        y(Transform::kTo + i, x((i + 1) * Step - 1));
  }
};

// Odd results are those of the five points, even ones the plain products.
struct InterleavedOutput {
  using Points = OutputTransform<4, Five>;
  static constexpr int kFrom = 9, kTo = 8;
  static constexpr std::array<Group, 4> kGroups = {{{1, 5}, {3, 7}, {0, 2}, {4, 6}}};

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    if constexpr (I < 2)
      Points::group<I>(x, [&](int i, const Vector& value) { y(2 * i + 1, value); });
    else
      for (int i = 2 * I - 4; i < 2 * I - 2; ++i) y(2 * i, x(5 + i));
  }
};

// Four outputs of the five points, each plus a plain product.
struct SummedOutput {
  using Points = OutputTransform<4, Five>;
  static constexpr int kFrom = 9, kTo = 4;
  static constexpr auto kGroups = Points::kGroups;

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    Points::group<I>(x, [&](int i, const Vector& value) { y(i, add(value, x(5 + i))); });
  }
};

// The gradients of three taps: the outer two of the five points, the middle one the sum of plain products.
struct TapsOutput {
  using Points = OutputTransform<2, Five>;
  static constexpr int kFrom = 6, kTo = 3;
  static constexpr std::array<Group, 3> kGroups = {{{0, 0}, {2, 2}, {1, 1}}};

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    if constexpr (I < 2)
      Points::group<I>(x, [&](int i, const Vector& value) { y(2 * i, value); });
    else
      y(1, x(5));
  }
};

// The transforms of a kind of convolution: of source and filter, and of their products to the target; of the
// target's gradient as a filter, and of its products with the source to the filter's gradient. Tiles lie
// kSource pixels apart in the source and kTarget in the target.
struct UnitStride {
  using Source = InputTransform<Six>;
  using Filter = FilterTransform<3, Six>;
  using Target = OutputTransform<4, Six>;
  using Gradient = FilterTransform<4, Six>;
  using FilterGradient = OutputTransform<3, Six>;
  static constexpr int kSource = 4, kTarget = 4;
};
struct StrideTwo {
  using Source = WithPlain<InputTransform<Five>, 2, 4>;
  using Filter = WithPlain<FilterTransform<2, Five>, 2, 1>;
  using Target = SummedOutput;
  using Gradient = WithPlain<FilterTransform<4, Five>, 1, 4>;
  using FilterGradient = TapsOutput;
  static constexpr int kSource = 8, kTarget = 4;
};
// Backward data of stride 2: the target is twice as large as the source.
struct StrideTwoBackward {
  using Source = WithPlain<InputTransform<Five>, 1, 4>;
  using Filter = StrideTwo::Filter;
  using Target = InterleavedOutput;
  static constexpr int kSource = 4, kTarget = 8;
};

template <class Algorithm>
constexpr int kPoints = Algorithm::Source::kTo;  // in each dimension
template <class Algorithm>
constexpr int64_t kMatrices = kPoints<Algorithm>* kPoints<Algorithm>;

// Whether to use it for images of `rows` x `columns` tiles' pixels: automatic where direct convolution has at
// least `saving` times its products, and the transforms, which every channel needs once, are shared by enough
// channels of the other side.
template <class Algorithm>
bool chosen(ConvolutionAlgorithm algorithm, double saving, int64_t rows, int64_t columns, int64_t in,
            int64_t out) {
  if (algorithm != ConvolutionAlgorithm::automatic) return algorithm == ConvolutionAlgorithm::winograd;
  const int64_t tiles = (rows + kTile - 1) / kTile * ((columns + kTile - 1) / kTile);
  return static_cast<double>(9 * rows * columns) >=
             saving * static_cast<double>(kMatrices<Algorithm> * tiles) &&
         in >= 16 && out >= 16;
}

// f(class, its points) for each class of the points of a square.
template <class Algorithm, class F>
void each_class(const F& f) {
  constexpr int64_t kSide = kPoints<Algorithm>;
  const auto end = [](int64_t of) { return of < kClasses - 1 ? of + 1 : kSide; };
  for (int64_t row = 0; row < kClasses; ++row)
    for (int64_t column = 0; column < kClasses; ++column) {
      std::array<int64_t, (kSide - kClasses + 1) * (kSide - kClasses + 1)> points;
      size_t count = 0;
      for (int64_t i = row; i < end(row); ++i)
        for (int64_t j = column; j < end(column); ++j) points[count++] = i * kSide + j;
      f(row * kClasses + column, std::span<const int64_t>(points.data(), count));
    }
}

// A transform of lines, along both dimensions of a square: load(i, j) gives the inputs, store(i, j, value)
// takes the results.
template <class Transform, class Load, class Store>
inline void in_two_dimensions(const Load& load, const Store& store) {
  constexpr int kGroupCount = static_cast<int>(Transform::kGroups.size());
  repeat<kGroupCount>([&](auto group) {
    constexpr Group kRows = Transform::kGroups[group()];
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

}  // namespace crescendo::CRESCENDO_CPU::winograd
