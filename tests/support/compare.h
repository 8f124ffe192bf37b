// Compares a kernel's results with a reference that is computed in double.
#pragma once

#include <cmath>
#include <cstring>

#include "support/buffer.h"
#include "support/run_kernel.h"

namespace crescendo::test {

// Returns the tolerance of a sum of `length` terms, each at most `term`. The rounding errors behave like a
// random walk: the partial sums are near sqrt(length) * term, and sqrt(length) errors of epsilon times that
// add up. The tolerance is four times as large.
inline double sum_tolerance(int64_t length, double term) {
  const double root = std::sqrt(static_cast<double>(length));
  return 4 * static_cast<double>(std::numeric_limits<real>::epsilon()) * root * std::max(1.0, root) * term;
}

// The factor by which Winograd's algorithm can enlarge rounding errors. It multiplies transformed values. If
// inputs and filter are noise, the root mean square of the products of one output is at most this many times
// that of the direct products (docs/derivations/winograd.md, rounded up). `image` holds for an output or an
// image's gradient, `weight` for a weight's gradient.
struct Amplification {
  double image, weight;
};
constexpr Amplification kWinogradAmplification{.image = 9, .weight = 9};  // 3x3 filters
constexpr Amplification winograd_amplification(int64_t r, int64_t s) {
  if (r * s == 7) return {.image = 9, .weight = 12};
  if (r * s == 3) return {.image = 3, .weight = 3};
  return kWinogradAmplification;
}

// Returns the tolerance of a sum of `length` terms that tends to `value` and is accumulated in double, by the
// test or by the kernel.
inline double double_tolerance(int64_t length, double value) {
  return 4 * std::numeric_limits<double>::epsilon() * std::sqrt(static_cast<double>(length)) * value;
}

// Checks |actual - expected| <= tolerance + relative * |expected| element by element.
// Reports the first failure.
inline void check_close(const std::vector<real>& actual, const std::vector<double>& expected,
                        double tolerance, double relative = 0) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    const double allowed = tolerance + relative * std::abs(expected[i]);
    if (!(std::abs(static_cast<double>(actual[i]) - expected[i]) <= allowed)) {
      FAIL_CHECK("element ", i, " of ", actual.size(), " is ", actual[i], ", expected ", expected[i],
                 " within ", allowed);
      return;
    }
  }
}

// Checks that all elements have equal bits. Reports the first difference.
template <class T>
void check_same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i)
    if (std::memcmp(&a[i], &b[i], sizeof(T)) != 0) {
      FAIL_CHECK("element ", i, " of ", a.size(), " is ", a[i], " or ", b[i]);
      return;
    }
}

// Checks the call make_call(output, write): with overwrite over an output of NaN, with add over one of noise.
template <class MakeCall>
void check_both_writes(Backend& backend, const std::vector<double>& expected, double tolerance,
                       const MakeCall& make_call) {
  const auto n = static_cast<int64_t>(expected.size());
  Buffer<real> fresh(backend, poison(n));
  run(backend, make_call(fresh, Write::overwrite));
  check_close(fresh.values(), expected, tolerance);

  const std::vector<real> before = noise(n, 99);
  std::vector<double> sums = expected;
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<double>(before[i]);
  Buffer<real> used(backend, before);
  run(backend, make_call(used, Write::add));
  check_close(used.values(), sums, tolerance + sum_tolerance(1, 2));
}

// The outputs of one computation.
using Results = std::vector<std::vector<real>>;

inline void check_same_bits(const Results& a, const Results& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    check_same_bits(a[i], b[i]);
  }
}

}  // namespace crescendo::test
