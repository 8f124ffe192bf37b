// Ghost batch norm (docs/derivations/ghost_batch_norm.md): each ghost batch is normalised by its own mean and
// biased variance.
#pragma once

#include <string_view>
#include <variant>

#include "kernels/geometry.h"
#include "kernels/real.h"
#include "kernels/work.h"

namespace crescendo {

// Parameters and statistics that a normalisation reads besides its input.
struct NormOperands {
  const real* scale;     // [c]
  const real* shift;     // [c]
  const real* mean;      // [ghosts,c]
  const real* variance;  // [ghosts,c], biased

  bool operator==(const NormOperands&) const = default;
};

// mean, variance = the mean and the biased variance of each ghost batch of x.
struct GhostMoments {
  static constexpr std::string_view kName = "ghost_moments";
  BatchNormGeometry geometry;
  const activation* x;  // [n,pixels,c]
  real* mean;           // [ghosts,c]
  real* variance;       // [ghosts,c]

  Work work() const { return streaming(geometry.elements(), 1); }
  bool operator==(const GhostMoments&) const = default;
};

// y = act((x - mean) / sqrt(variance + epsilon) * scale + shift + residual); act is ReLU if geometry.relu,
// else identity. y may be x unless y is a slice of larger pixels.
struct Normalise {
  static constexpr std::string_view kName = "normalise";
  BatchNormGeometry geometry;
  const activation* x;  // [n,pixels,c]
  NormOperands norm;
  const activation* residual;  // [n,pixels,c], or null
  activation* y;               // [n,pixels,c]

  Work work() const { return streaming(geometry.elements(), residual != nullptr ? 3 : 2); }
  bool operator==(const Normalise&) const = default;
};

// Let f = sum(y * dy) for y of Normalise without a residual, where the statistics depend on x:
// dx (=|+=) df/dx, and likewise dscale and dshift, which share one Write because a layer's two parameters are
// always written together.
struct GhostBatchNormBackward {
  static constexpr std::string_view kName = "ghost_batch_norm_backward";
  BatchNormGeometry geometry;
  const activation* x;   // [n,pixels,c]
  const activation* dy;  // [n,pixels,c]
  NormOperands norm;
  activation* dx;  // [n,pixels,c]
  Write write_dx;
  real* dscale;  // [c]
  real* dshift;  // [c]
  Write write_parameters;
  // From one ghost batch's gradient to the next, in elements; 0: they are added up.
  int64_t dscale_stride = 0;
  int64_t dshift_stride = 0;

  Work work() const { return streaming(geometry.elements(), 3); }
  bool operator==(const GhostBatchNormBackward&) const = default;
};

// For each ghost batch in order: running = keep * running + weight * statistic. The variance enters unbiased,
// times m / (m - 1) for m = ghost * pixels; m = 1 leaves it 0.
struct UpdateRunningStatistics {
  static constexpr std::string_view kName = "update_running_statistics";
  BatchNormGeometry geometry;
  double keep;
  double weight;
  const real* mean;        // [ghosts,c]
  const real* variance;    // [ghosts,c], biased
  real* running_mean;      // [c]
  real* running_variance;  // [c]

  Work work() const { return streaming_reals(2 * (geometry.ghosts() + 1) * geometry.c, 1); }
  bool operator==(const UpdateRunningStatistics&) const = default;
};

using NormalisationCalls =
    std::variant<GhostMoments, Normalise, GhostBatchNormBackward, UpdateRunningStatistics>;

}  // namespace crescendo
