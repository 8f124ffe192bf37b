// Sums whose terms are rounded to whole units and added as 64-bit integers. Integer addition is associative,
// so neither the order of the terms nor the way they are grouped changes a bit
// (docs/derivations/exact_sums.md).
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/geometry.h"
#include "kernels/real.h"
#include "kernels/step_counters.h"

namespace crescendo {

// The form of the terms of one sum. Sums stay below 2^62 units.
struct SumFormat {
  double unit, per_unit;  // a power of two, and its inverse
  double bound;           // the magnitude of a term is smaller

  HD SumFormat(double one, double above) : unit(one), per_unit(1 / one), bound(above) {}
  // Returns true if the value can be a term; false for NaN.
  HD bool holds(double value) const { return std::fabs(value) < bound; }
  // Returns value / unit, rounded to the nearest integer, of two equally near ones to the even one. Returns 0
  // for a value that cannot be a term.
  HD int64_t units(double value) const {
    return holds(value) ? static_cast<int64_t>(std::rint(value * per_unit)) : 0;
  }
};

// Losses of the samples of an update.
constexpr double kLossUnit = 0x1p-32;
HD inline SumFormat loss_format(int64_t samples) {
  return {kLossUnit, 0x1p30 / static_cast<double>(samples)};
}

// Means and variances of ghost batches. They enter with weights whose sum is at most 1, so the sum has the
// bound of the terms.
constexpr double kStatisticUnit = 0x1p-32;
HD inline SumFormat statistic_format() { return {kStatisticUnit, 0x1p30}; }

// Gradients of ghost batches, each the sum over its samples. The unit is at most 2^-42 for the mean over the
// samples.
constexpr double gradient_unit(int64_t ghost) {
  double unit = 0x1p-43;
  for (int64_t samples = 1; samples < ghost; samples *= 2) unit *= 2;
  return unit;
}
// A term is less than 2^51 units, a mean gradient of 256, so that it can be rounded without a conversion to
// integers, which few instruction sets have for vectors. The bound is a power of two.
HD inline SumFormat gradient_format(double unit, int64_t ghosts) {
  double bound = 0x1p51 * unit;
  for (int64_t terms = 2048; terms < ghosts; terms *= 2) bound /= 2;
  return {unit, bound};
}

// Squared norms of the mean gradients of ghost batches. A square is the sum of a term in the large unit and
// one of less than 2^47 small units, so that small squares keep their digits.
constexpr double kSquareUnit = 0x1p-6, kSmallSquareUnit = 0x1p-53;
HD inline SumFormat square_format(int64_t ghosts) { return gradient_format(kSquareUnit, ghosts); }
// Adds a square to the counts (AddSquare).
HD inline void add_square(double square, int64_t ghosts, UpdateCounts& counts) {
  const SumFormat format = square_format(ghosts);
  if (!format.holds(square)) {
    counts.bad = 1;
    return;
  }
  const int64_t units = format.units(square);
  const double rest = square - kSquareUnit * static_cast<double>(units);
  counts.squares += units;
  counts.small_squares += static_cast<int64_t>(std::rint(rest / kSmallSquareUnit));
}
// Returns the sum of the squares.
inline double sum_of_squares(const UpdateCounts& counts) {
  return kSquareUnit * static_cast<double>(counts.squares) +
         kSmallSquareUnit * static_cast<double>(counts.small_squares);
}

// Returns base^exponent. Only multiplications, so every processor gets the same bits.
HD inline double whole_power(double base, int64_t exponent) {
  double power = 1;
  for (; exponent > 0; exponent /= 2, base *= base)
    if (exponent % 2 == 1) power *= base;
  return power;
}

// The statistics of the ghost batches of one call (AddStatistics).
struct StatisticTerms {
  double momentum;
  bool mean_of_ghosts;
  int64_t ghosts, after;  // ghost batches of the update; those after the call's first one
  double unbiased;        // m / (m - 1)

  HD StatisticTerms(const BatchNormGeometry& g, double rho, bool mean, const StepCounters& counters)
      : momentum(rho),
        mean_of_ghosts(mean),
        ghosts(counters.ghosts),
        after(counters.ghosts - 1 - (counters.position - counters.first) / g.ghost),
        unbiased(unbiased_factor(g.ghost * g.pixels)) {}
  // Returns m / (m - 1), or 0 for m = 1.
  HD static double unbiased_factor(int64_t m) {
    return m > 1 ? static_cast<double>(m) / static_cast<double>(m - 1) : 0;
  }
  // Returns the weight of the call's ghost batch in the running statistics.
  HD double weight(int64_t ghost) const {
    return mean_of_ghosts ? momentum / static_cast<double>(ghosts)
                          : momentum * whole_power(1 - momentum, after - ghost);
  }
  // Adds weight * statistic to the sum. Returns false if the statistic cannot be a term.
  HD static bool add(double weight, double statistic, int64_t& sum) {
    const SumFormat format = statistic_format();
    const bool held = format.holds(statistic);
    if (held) sum += format.units(weight * statistic);
    return held;
  }
};

// Returns a sum as a real, and with keep * before added unless keep is 0 (TakeSums).
HD inline real taken_sum(double unit, int64_t sum, double keep, real before) {
  const double value = unit * static_cast<double>(sum);
  return static_cast<real>(keep == 0 ? value : value + keep * static_cast<double>(before));
}

// Ends an update (EndUpdate).
HD inline void end_update(StepCounters& counters, UpdateCounts& counts) {
  if (counts.bad == 0) {
    counters.loss += kLossUnit * static_cast<double>(counts.loss);
    counters.correct += counts.correct;
  } else if (!is_stopped(&counters)) {
    counters.stopped_at = counters.first;
  }
  counts.loss = counts.correct = counts.bad = 0;
}

}  // namespace crescendo
