// Results that may go straight into a Concatenation.
#pragma once

#include "engine/ops.h"

namespace crescendo {

// Returns the tensor to write a result of that shape to: the destination or, if it is undefined, new memory.
// Throws std::invalid_argument, naming the op, if the destination has another shape.
inline Tensor result_tensor(const char* op, const Device& device, const Shape& shape,
                            const Tensor& destination) {
  if (!destination.defined()) return Tensor::activations(device, shape);
  require(destination.shape() == shape, op, ": a destination of ", destination.shape(), " for ", shape);
  return destination;
}

}  // namespace crescendo
