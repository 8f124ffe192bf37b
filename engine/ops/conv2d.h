// The parts that conv2d, conv2d_norm and norm_conv2d share.
#pragma once

#include "engine/ops.h"

namespace crescendo {

// Checks shapes, strides and padding, and returns the sizes. Throws std::invalid_argument.
Conv2dGeometry conv2d_geometry(const Tape& tape, const Tensor& x, const Tensor& weight,
                               const Conv2dOptions& options);

// Returns the weight for a forward pass, packed if the tape keeps packed weights.
ConvolutionWeight weight_for(const Tape& tape, const Conv2dGeometry& g, const Tensor& weight);

// Returns the tensor to write y of that shape to: the residual itself, because its memory is in the cache, if
// this is not training, nobody else holds the residual, and the device finishes sums before it stores them;
// otherwise new memory. Throws std::invalid_argument, naming the op, if a defined residual has another shape.
Tensor conv2d_result(const char* op, const Tape& tape, const Device& device, const Shape& shape,
                     const Tensor& residual);

// Return, for conv2d_norm outside of training, the tensor to write y to (the destination if it is defined),
// and the epilogue. Throw std::invalid_argument if shapes do not fit, or for a residual and a destination.
Tensor conv2d_norm_result(const Tape& tape, const Device& device, const Conv2dGeometry& g,
                          const Tensor& residual, const Tensor& destination);
ConvolutionEpilogue norm_epilogue(const Tape& tape, const Tensor& y, const NormLayer& norm,
                                  const Tensor& residual);

}  // namespace crescendo
