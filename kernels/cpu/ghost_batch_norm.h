// The parts of ghost batch norm that the fused convolutions share. Sums are of one image first, [n, 2, c] in
// double, then of a ghost, in order.
#pragma once

#include "kernels/backend.h"

namespace crescendo::CRESCENDO_CPU {

// The normalised value before the ReLU. Both passes compute it by this very expression, so that they agree on
// its sign.
inline real output_of(real centred, real factor, real shift) { return centred * factor + shift; }

// factors [ghosts, c] = scale / sqrt(variance + epsilon)
void norm_factors(const BatchNormGeometry&, const NormOperands&, real* factors);

// A ghost's mean and variance from those of its images: `sums` hold each image's mean and its sum of squared
// distances from it. `totals` is room for [ghosts, 2, c].
void combine_moments(const BatchNormGeometry&, int threads, const double* sums, double* totals, real* mean,
                     real* variance);

// Elements (doubles) of the workspace of finish_backward.
int64_t finish_backward_workspace(const BatchNormGeometry&);

// From each image's sums of g and of g (x - mean), where g is dy already masked if `relu` is false and is
// masked here otherwise: the gradients of the parameters, and dx.
void finish_backward(const BatchNormGeometry&, bool relu, int threads, const real* x, const real* dy,
                     const NormOperands&, const real* factors, const double* sums, double* workspace,
                     real* dx, Write write_dx, real* dscale, real* dshift, Write write_parameters);

}  // namespace crescendo::CRESCENDO_CPU
