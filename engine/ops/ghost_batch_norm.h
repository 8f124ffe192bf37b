// The parts that ghost_batch_norm and norm_conv2d share.
#pragma once

#include "engine/ops.h"

namespace crescendo {

// Checks the shapes of x, scale and shift, and returns the sizes. Throws std::invalid_argument.
BatchNormGeometry batch_norm_geometry(const Tape& tape, const Tensor& x, const Tensor& scale,
                                      const Tensor& shift, const BatchNormOptions& options);

// Returns the moments to normalise x by. In training these are the moments of each ghost batch, from which
// the running statistics are updated. Otherwise they are the running statistics.
Moments take_moments(const Tape& tape, const BatchNormGeometry& g, const TensorWithMoments& x,
                     const NormStatistics& statistics, double momentum);

NormOperands norm_operands(const Tensor& scale, const Tensor& shift, const Moments& moments);

// The gradients of scale and shift, which share one Write.
struct NormSlots {
  Tensor dscale, dshift;
  Write write;
};
// Throws std::invalid_argument if only one of the two has received a contribution before.
NormSlots norm_slots(const Tensor& scale, const Tensor& shift);

// Returns the slot for dx, which the kernels always compute: memory to throw away if x needs no gradient.
GradientSlot input_slot(const Tensor& x);

}  // namespace crescendo
