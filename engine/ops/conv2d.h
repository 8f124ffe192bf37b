// What conv2d and norm_conv2d share.
#pragma once

#include "engine/ops.h"

namespace crescendo {

// Checks the shapes, strides and padding.
Conv2dGeometry conv2d_geometry(const Tape& tape, const Tensor& x, const Tensor& weight,
                               const Conv2dOptions& options);

}  // namespace crescendo
