// The parts that ghost_batch_norm and norm_conv2d share.
#pragma once

#include "engine/ops.h"

namespace crescendo {

// Checks scale and shift against x.
BatchNormGeometry batch_norm_geometry(const Tape& tape, const Tensor& x, const Tensor& scale,
                                      const Tensor& shift, const BatchNormOptions& options);

// Returns the moments to normalise x by. Training: those of each ghost batch, and the running statistics are
// updated. Otherwise: the running statistics.
Moments take_moments(const Tape& tape, const BatchNormGeometry& g, const TensorWithMoments& x,
                     const NormStatistics& statistics, double momentum);

NormOperands norm_operands(const Tensor& scale, const Tensor& shift, const Moments& moments);

// The gradients of scale and shift, which share one Write.
struct NormSlots {
  Tensor dscale, dshift;
  Write write;
};
NormSlots norm_slots(const Tensor& scale, const Tensor& shift);

// Returns the slot for dx, which the kernels always compute: memory to throw away if x needs no gradient.
GradientSlot input_slot(const Tensor& x);

}  // namespace crescendo
