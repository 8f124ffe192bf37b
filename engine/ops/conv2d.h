// What conv2d, conv2d_norm and norm_conv2d share.
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

// Of conv2d_norm outside of training: where y goes, its place if that is defined, and how.
Tensor conv2d_norm_result(const Tape& tape, const Device& device, const Conv2dGeometry& g,
                          const Tensor& residual, const Tensor& place);
ConvolutionEpilogue norm_epilogue(const Tape& tape, const Tensor& y, const NormLayer& norm,
                                  const Tensor& residual);

}  // namespace crescendo
