// Convolution weights as a device's kernels multiply by them, kept from one forward pass to the next. Lives
// no longer than the weights stay as they are: as long as an evaluation, say.
#pragma once

#include <map>

#include "engine/tensor.h"

namespace crescendo {

class PackedWeights {
 public:
  PackedWeights() = default;
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

  // Packed when it is first asked for, and where the device gains by that.
  ConvolutionWeight of(const Conv2dGeometry&, const Tensor& weight);

 private:
  struct Packed {
    Tensor weight;  // so that no other takes its address
    Conv2dGeometry geometry;
    Tensor values;
  };
  std::map<const activation*, Packed> packed_;
};

}  // namespace crescendo
