// The sums of an update over its ghost batches. Exact sums are 64-bit integers (kernels/exact_sum.h), so the
// order of the ghost batches does not matter.
#pragma once

#include <string_view>
#include <variant>

#include "kernels/geometry.h"
#include "kernels/real.h"
#include "kernels/step_counters.h"
#include "kernels/work.h"

namespace crescendo {

// Begins an update of `ghosts` ghost batches, whose first sample is at position `first` of the run. The next
// micro-batch is at `position`. Sets the counters accordingly, and the counts and n sums to zero.
struct BeginUpdate {
  static constexpr std::string_view kName = "begin_update";
  int64_t first, position, ghosts;
  int64_t n;
  int64_t* sums;  // [n]
  StepCounters* counters;
  UpdateCounts* counts;

  Work work() const { return {.sums = n}; }
  bool operator==(const BeginUpdate&) const = default;
};

// sums += the gradients of each ghost batch, in units of gradient_format(unit, counters.ghosts). If one of
// them cannot be a term, sets counts.bad; its sum is then undefined.
struct AddToSums {
  static constexpr std::string_view kName = "add_to_sums";
  int64_t n, ghosts;
  int64_t ghost_stride;   // from one ghost batch's gradients to the next, in elements
  double unit;            // gradient_unit(samples in a ghost batch)
  const real* gradients;  // [ghosts,n]
  int64_t* sums;          // [n]
  const StepCounters* counters;
  UpdateCounts* counts;

  Work work() const { return {.reals = ghosts * n, .sums = 2 * n}; }
  bool operator==(const AddToSums&) const = default;
};

// For each ghost batch: sums += weight * statistic, in units of statistic_format(). The weight is that in the
// running statistics after the update. Ghost batch i of the update's K, counted from 0, has
//   momentum * (1 - momentum)^(K - 1 - i)   if they follow each ghost batch in turn
//   momentum / K                            if they follow the mean over the ghost batches
// The variance enters unbiased, times m / (m - 1) for m = ghost * pixels; m = 1 leaves it 0. If a statistic
// cannot be a term, sets counts.bad and leaves its sum.
struct AddStatistics {
  static constexpr std::string_view kName = "add_statistics";
  BatchNormGeometry geometry;
  double momentum;
  bool mean_of_ghosts;
  const real* mean;        // [ghosts,c]
  const real* variance;    // [ghosts,c], biased
  int64_t* mean_sums;      // [c]
  int64_t* variance_sums;  // [c]
  const StepCounters* counters;
  UpdateCounts* counts;

  Work work() const { return {.reals = 2 * geometry.ghosts() * geometry.c, .sums = 4 * geometry.c}; }
  bool operator==(const AddStatistics&) const = default;
};

// to = unit * sums, plus keep * to unless keep is 0. Changes nothing if the counters have stopped.
struct TakeSums {
  static constexpr std::string_view kName = "take_sums";
  int64_t n;
  double unit;
  double keep;
  const int64_t* sums;  // [n]
  real* to;             // [n]
  const StepCounters* counters;

  Work work() const { return {.reals = keep == 0 ? n : 2 * n, .sums = n}; }
  bool operator==(const TakeSums&) const = default;
};

// result = sum of x^2, accumulated in double.
struct SumOfSquares {
  static constexpr std::string_view kName = "sum_of_squares";
  int64_t n;
  const real* x;   // [n]
  double* result;  // [1]

  Work work() const { return streaming_reals(n, 1); }
  bool operator==(const SumOfSquares&) const = default;
};

// Adds scale * square to counts.squares and counts.small_squares (add_square()). If it cannot be a term, sets
// counts.bad.
struct AddSquare {
  static constexpr std::string_view kName = "add_square";
  double scale;
  const double* square;  // [1]
  const StepCounters* counters;
  UpdateCounts* counts;

  Work work() const { return {}; }
  bool operator==(const AddSquare&) const = default;
};

// Adds the losses to counts.loss, in units of loss_format(samples of the update), and the sum of `correct` to
// counts.correct; adds n to counters.position. If a loss cannot be a term, sets counts.bad.
struct CountSamples {
  static constexpr std::string_view kName = "count_samples";
  SampleCount geometry;
  const real* losses;      // [n]
  const int32_t* correct;  // [n]
  StepCounters* counters;
  UpdateCounts* counts;

  Work work() const { return {.reals = geometry.n, .indices = geometry.n}; }
  bool operator==(const CountSamples&) const = default;
};

// Sets counts.bad if a gradient is infinite or NaN.
struct CheckFinite {
  static constexpr std::string_view kName = "check_finite";
  int64_t n;
  const real* gradients;  // [n]
  UpdateCounts* counts;

  Work work() const { return streaming_reals(n, 1); }
  bool operator==(const CheckFinite&) const = default;
};

// Ends an update: adds counts.loss and counts.correct to those of the counters. If counts.bad is set, sets
// counters.stopped_at to counters.first instead, unless it is set already. Sets all counts but the squares to
// zero.
struct EndUpdate {
  static constexpr std::string_view kName = "end_update";
  StepCounters* counters;
  UpdateCounts* counts;

  Work work() const { return {}; }
  bool operator==(const EndUpdate&) const = default;
};

using SumCalls = std::variant<BeginUpdate, AddToSums, AddStatistics, TakeSums, SumOfSquares, AddSquare,
                              CountSamples, CheckFinite, EndUpdate>;

}  // namespace crescendo
