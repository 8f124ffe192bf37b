// Results that may have a place in a Concatenation.
#pragma once

#include "engine/ops.h"

namespace crescendo {

// For a result of that shape: its place, or, where that is undefined, new memory. Throws
// std::invalid_argument, naming the op, if the place has another shape.
inline Tensor placed_result(const char* op, const Device& device, const Shape& shape, const Tensor& place) {
  if (!place.defined()) return Tensor::activations(device, shape);
  require(place.shape() == shape, op, ": a place of ", place.shape(), " for ", shape);
  return place;
}

}  // namespace crescendo
