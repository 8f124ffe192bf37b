// The parts of ghost batch norm that the fused convolutions (norm_conv2d.cpp) share. Sums are taken over each
// image first, as [n, 2, c] in double, and then over the images of a ghost batch, in order.
#pragma once

#include "base/threads.h"
#include "kernels/backend.h"

namespace crescendo::CRESCENDO_CPU {

// Returns the normalised value before the ReLU. The forward and the backward pass both call this function, so
// that they agree on the sign.
inline real output_of(real centred, real factor, real shift) { return centred * factor + shift; }

// Computes factors [ghosts, c] = scale / sqrt(variance + epsilon).
void norm_factors(const BatchNormGeometry&, const NormOperands&, real* factors);

// Computes the mean and variance of each ghost batch from those of its images. `sums` holds, for each image,
// the mean and the sum of squared distances from that mean. `totals` has room for [ghosts, 2, c].
void combine_moments(const BatchNormGeometry&, const Threads& threads, const double* sums, double* totals,
                     real* mean, real* variance);

// Returns the number of doubles in the workspace of finish_backward.
int64_t finish_backward_workspace(const BatchNormGeometry&);

// The gradients of a norm's parameters in a backward call.
struct NormGradients {
  real *dscale, *dshift;
  Write write;
  int64_t dscale_stride, dshift_stride;
};
template <class Call>
NormGradients gradients_of(const Call& call) {
  return {call.dscale, call.dshift, call.write_parameters, call.dscale_stride, call.dshift_stride};
}

// Computes dscale, dshift and dx from each image's `sums` of g and of g * (x - mean). g is dy masked by the
// ReLU. If `relu` is true, this function masks dy; otherwise dy is g already.
void finish_backward(const BatchNormGeometry&, bool relu, const Threads& threads, const real* x,
                     const real* dy, const NormOperands&, const real* factors, const double* sums,
                     double* workspace, real* dx, Write write_dx, const NormGradients&);

}  // namespace crescendo::CRESCENDO_CPU
