// What conv2d and norm_conv2d share.
#pragma once

#include "engine/ops.h"

namespace crescendo {

// Checks the shapes, strides and padding.
Conv2dGeometry conv2d_geometry(const Tape& tape, const Tensor& x, const Tensor& weight,
                               const Conv2dOptions& options);

// For y of that shape: outside of training, where the device finishes sums before it stores them, the
// residual itself if nobody else holds it, because its memory is in the cache then; else new memory. Throws
// std::invalid_argument, naming the op, if the residual, unless undefined, has another shape.
Tensor conv2d_result(const char* op, const Tape& tape, const Device& device, const Shape& shape,
                     const Tensor& residual);

}  // namespace crescendo
