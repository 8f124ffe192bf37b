// What ghost_batch_norm and norm_conv2d share.
#pragma once

#include "engine/ops.h"

namespace crescendo {

// Checks scale and shift against x.
BatchNormGeometry batch_norm_geometry(const Tape& tape, const Tensor& x, const Tensor& scale,
                                      const Tensor& shift, const BatchNormOptions& options);

// What x is normalised by. Training: its ghosts' moments, those it carries or else computed, and the running
// statistics are updated; otherwise those.
Moments take_moments(const Tape& tape, const BatchNormGeometry& g, const Tensor& x,
                     const NormStatistics& statistics, double momentum);

NormOperands norm_operands(const Tensor& scale, const Tensor& shift, const Moments& moments);

// The gradients of scale and shift, which share one Write.
struct NormSlots {
  Tensor dscale, dshift;
  Write write;
};
NormSlots norm_slots(const Tensor& scale, const Tensor& shift);

// Where the kernels put dx, which they compute in any case: for an input that needs none, into memory that
// goes at once.
GradientSlot input_slot(const Tensor& x);

}  // namespace crescendo
