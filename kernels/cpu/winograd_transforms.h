// Winograd's minimal filtering in one dimension (Lavin & Gray 2016, arXiv 1509.09308):
//   output = A^T [(G filter) * (B^T input)], * element by element
// Six products, instead of twelve, give four outputs of a filter of three taps, or three outputs of a filter
// of four taps. Nine products, instead of 21, give three outputs of a filter of seven taps, or seven outputs
// of a filter of three taps.
//
// Each algorithm is a polynomial product, evaluated at points: +a and -a for some values a, infinity, and in
// some algorithms 0. A pair of opposite points shares half its work. The values a keep the rounding errors of
// fp32 small, and all constants except the filter's are exact (docs/derivations/winograd.md).
//
// With stride 2, the first and the last of three taps meet every other input, and the middle tap meets the
// inputs between. Four outputs are then those of a filter of two taps, computed from five points, plus four
// plain products for the middle tap: nine products instead of twelve. The plain products share one filter
// value, so the points fall into six classes, as many as with stride 1.
//
// All transforms work on vectors: each element is one vector, and each lane is one channel.
#pragma once

#include <algorithm>
#include <array>

#include "kernels/cpu/simd.h"

namespace crescendo::CRESCENDO_CPU::winograd {

inline Vector constant(double value) { return Eigen::internal::pset1<Vector>(static_cast<real>(value)); }
inline Vector multiply(double factor, const Vector& x) {
  return CRESCENDO_CPU::multiply(constant(factor), x);
}
inline Vector multiply_add(double factor, const Vector& x, const Vector& y) {
  return CRESCENDO_CPU::multiply_add(constant(factor), x, y);
}

// A group of results that share work in a transform: `count` results, `step` apart. A transform computes its
// results group by group, so that they stay in registers. Its function group<I>(x, y) reads input i as x(i)
// and passes each result i of group I to y(i, value).
struct Group {
  int first, count, step;
  constexpr int operator[](int i) const { return first + i * step; }
};

// Sets of points, in this order: 0 if kZeros is 1, then +a and -a for each a of kPairs, then infinity.
struct FivePoints {
  static constexpr int kZeros = 0;
  static constexpr std::array kPairs = {0.5, 1.25};
};
struct SixPoints {
  static constexpr int kZeros = 1;
  static constexpr std::array kPairs = {0.75, 1.5};
};
struct NinePoints {
  static constexpr int kZeros = 0;
  static constexpr std::array kPairs = {0.25, 0.75, 1.125, 2.0};
};

template <class Points>
constexpr int kPairCount = static_cast<int>(Points::kPairs.size());
template <class Points>
constexpr int kInfinity = Points::kZeros + 2 * kPairCount<Points>;  // index of the point
template <class Points>
constexpr auto kPointGroups = [] {
  std::array<Group, Points::kZeros + kPairCount<Points> + 1> groups{};
  for (int i = 0; i < Points::kZeros; ++i) groups[i] = {i, 1, 1};
  for (int i = 0; i < kPairCount<Points>; ++i) groups[Points::kZeros + i] = {Points::kZeros + 2 * i, 2, 1};
  groups.back() = {kInfinity<Points>, 1, 1};
  return groups;
}();

// Calls the function for the points of group I: at_zero(), pair(number of the pair, index of its first
// point), or at_infinity().
template <class Points, int I, class AtZero, class Pair, class AtInfinity>
inline void by_group(const AtZero& at_zero, const Pair& pair, const AtInfinity& at_infinity) {
  constexpr int kPair = I - Points::kZeros;
  if constexpr (kPair < 0)
    at_zero();
  else if constexpr (kPair < kPairCount<Points>)
    pair(std::integral_constant<int, kPair>(), Points::kZeros + 2 * kPair);
  else
    at_infinity();
}

constexpr double power(double base, int exponent) {
  double product = 1;
  for (int i = 0; i < exponent; ++i) product *= base;
  return product;
}

// Returns the coefficients of the product of (t - a^2) over all pairs except `pair`, the lowest power first.
template <class Points>
constexpr auto product_without(int pair) {
  std::array<double, kPairCount<Points> + 1> product{1};
  for (int i = 0; i < kPairCount<Points>; ++i) {
    if (i == pair) continue;
    for (int k = kPairCount<Points>; k >= 0; --k)
      product[k] = (k > 0 ? product[k - 1] : 0) - Points::kPairs[i] * Points::kPairs[i] * product[k];
  }
  return product;
}
// The coefficients of the product over all pairs.
template <class Points>
constexpr auto kProduct = product_without<Points>(-1);

// Returns the denominator of Lagrange's interpolation for the first point of a pair: the product of its
// differences from all other finite points. The opposite point has an equal denominator if 0 is a point, and
// the negative one otherwise.
template <class Points>
constexpr double differences(int pair) {
  const double point = Points::kPairs[pair];
  double product = 2;
  for (int i = 0; i < kPairCount<Points>; ++i)
    if (i != pair) product *= point * point - Points::kPairs[i] * Points::kPairs[i];
  return product * power(point, 1 + Points::kZeros);
}

// B^T: transforms inputs, as many as there are points.
template <class Points>
struct InputTransform {
  static constexpr int kFrom = kInfinity<Points> + 1, kTo = kFrom;
  static constexpr auto kGroups = kPointGroups<Points>;

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    constexpr int z = Points::kZeros, n = kPairCount<Points>;
    by_group<Points, I>([&] { y(0, every_other<n>(kProduct<Points>, x, 0)); },
                        [&](auto pair, int first) {
                          constexpr auto kOthers = product_without<Points>(pair());
                          constexpr double kPoint = Points::kPairs[pair()];
                          const Vector even = every_other<n - 1>(kOthers, x, z + 1),
                                       odd = every_other<n - 1>(kOthers, x, z);
                          y(first, multiply_add(kPoint, odd, even));
                          y(first + 1, multiply_add(-kPoint, odd, even));
                        },
                        [&] { y(kInfinity<Points>, every_other<n>(kProduct<Points>, x, z)); });
  }

 private:
  // Returns the sum over k in [0, Degree] of coefficients[k] * x(first + 2 k). The last coefficient is 1.
  template <int Degree, class Coefficients, class X>
  static Vector every_other(const Coefficients& coefficients, const X& x, int first) {
    Vector sum = x(first + 2 * Degree);
    repeat<Degree>([&](auto i) {
      constexpr int k = Degree - 1 - i();
      sum = multiply_add(coefficients[k], x(first + 2 * k), sum);
    });
    return sum;
  }
};

// G: transforms a filter of Taps taps.
template <int Taps, class Points>
struct FilterTransform {
  static_assert(Taps >= 2);
  static constexpr int kFrom = Taps, kTo = kInfinity<Points> + 1;
  static constexpr auto kGroups = kPointGroups<Points>;

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    by_group<Points, I>(
        [&] { y(0, multiply(1 / kProduct<Points>[0], x(0))); },
        [&](auto pair, int first) {
          constexpr double kPoint = Points::kPairs[pair()], kDifferences = differences<Points>(pair());
          Vector sums[2] = {multiply(1 / kDifferences, x(0)), multiply(kPoint / kDifferences, x(1))};
          repeat<Taps - 2>([&](auto i) {
            constexpr double kFactor = power(kPoint, i() + 2) / kDifferences;
            sums[i() % 2] = multiply_add(kFactor, x(i() + 2), sums[i() % 2]);
          });
          const auto& [even, odd] = sums;
          y(first, add(even, odd));
          y(first + 1, Points::kZeros == 1 ? subtract(even, odd) : subtract(odd, even));
        },
        [&] { y(kInfinity<Points>, x(Taps - 1)); });
  }
};

// A^T: transforms the products at the points into Outputs results: a group of even and a group of odd ones.
template <int Outputs, class Points>
struct OutputTransform {
  static_assert(Outputs >= 2);
  static constexpr int kFrom = kInfinity<Points> + 1, kTo = Outputs;
  static constexpr std::array<Group, 2> kGroups = {{{0, (Outputs + 1) / 2, 2}, {1, Outputs / 2, 2}}};

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    constexpr int z = Points::kZeros, n = kPairCount<Points>;
    Vector pairs[n];
    repeat<n>([&](auto i) {
      const Vector &p = x(z + 2 * i()), &opposite = x(z + 2 * i() + 1);
      pairs[i()] = I == 0 ? add(p, opposite) : subtract(p, opposite);
    });
    repeat<kGroups[I].count>([&](auto i) {
      constexpr int kPower = kGroups[I][i()];
      Vector sum = kPower == 0 ? pairs[0] : multiply(power(Points::kPairs[0], kPower), pairs[0]);
      repeat<n - 1>([&](auto j) {
        constexpr double kFactor = power(Points::kPairs[j() + 1], kPower);
        sum = multiply_add(kFactor, pairs[j() + 1], sum);
      });
      if constexpr (kPower == 0 && z == 1) sum = add(x(0), sum);
      if constexpr (kPower == Outputs - 1) sum = add(sum, x(kInfinity<Points>));
      y(kPower, sum);
    });
  }
};

// The transform for a filter of one tap, which leaves its element unchanged.
struct Identity {
  static constexpr int kFrom = 1, kTo = 1;
  static constexpr std::array<Group, 1> kGroups = {{{0, 1, 1}}};

  template <int, class X, class Y>
  static void group(const X& x, const Y& y) {
    y(0, x(0));
  }
};

// A transform for stride 2. Its first results are those of Transform on every Step-th input, for the first
// and the last tap. The following `Plain` results, for the middle tap, are unchanged inputs: those between,
// or, if Step is 1, the first ones.
template <class Transform, int Step, int Plain>
struct WithPlain {
  static constexpr int kFrom = std::max((Transform::kFrom - 1) * Step + 1, Plain*Step),
                       kTo = Transform::kTo + Plain;
  static constexpr int kPointGroups = static_cast<int>(Transform::kGroups.size());
  static constexpr auto kGroups = [] {
    std::array<Group, kPointGroups + (Plain + 1) / 2> groups{};
    auto* next = std::copy(Transform::kGroups.begin(), Transform::kGroups.end(), groups.begin());
    for (int i = 0; i < Plain; i += 2) *next++ = {Transform::kTo + i, std::min(2, Plain - i), 1};
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

// Output transform of backward data with stride 2. The odd results come from the five points; the even
// results are the plain products.
struct InterleavedOutput {
  using Points = OutputTransform<4, FivePoints>;
  static constexpr int kFrom = 9, kTo = 8;
  static constexpr std::array<Group, 4> kGroups = {{{1, 2, 4}, {3, 2, 4}, {0, 2, 2}, {4, 2, 2}}};

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    if constexpr (I < 2)
      Points::group<I>(x, [&](int i, const Vector& value) { y(2 * i + 1, value); });
    else
      for (int i = 2 * I - 4; i < 2 * I - 2; ++i) y(2 * i, x(5 + i));
  }
};

// Output transform with stride 2: four results of the five points, each plus a plain product.
struct SummedOutput {
  using Points = OutputTransform<4, FivePoints>;
  static constexpr int kFrom = 9, kTo = 4;
  static constexpr auto kGroups = Points::kGroups;

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    Points::group<I>(x, [&](int i, const Vector& value) { y(i, add(value, x(5 + i))); });
  }
};

// Output transform of the weight gradient with stride 2. The gradients of the outer two taps come from the
// five points; the gradient of the middle tap is the sum of the plain products.
struct TapsOutput {
  using Points = OutputTransform<2, FivePoints>;
  static constexpr int kFrom = 6, kTo = 3;
  static constexpr std::array<Group, 3> kGroups = {{{0, 1, 1}, {2, 1, 1}, {1, 1, 1}}};

  template <int I, class X, class Y>
  static void group(const X& x, const Y& y) {
    if constexpr (I < 2)
      Points::group<I>(x, [&](int i, const Vector& value) { y(2 * i, value); });
    else
      y(1, x(5));
  }
};

}  // namespace crescendo::CRESCENDO_CPU::winograd
