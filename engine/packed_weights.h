// A cache of packed convolution weights: copies in the layout that the device's kernels read fastest. It
// serves several forward passes with the same weights, such as one evaluation, and must not be used after the
// weights change.
#pragma once

#include <map>

#include "engine/tensor.h"

namespace crescendo {

class PackedWeights {
 public:
  PackedWeights() = default;
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

  // Returns the weight [k,r,s,c] with its packed copy, which is made on first use and again for images of
  // another size. There is no copy if the device gains nothing by packing.
  ConvolutionWeight of(const Conv2dGeometry&, const Tensor& weight);

 private:
  struct Packed {
    Tensor weight;  // keeps the memory, so that no other weight gets this address
    Conv2dGeometry geometry;
    Tensor values;
  };
  std::map<const activation*, Packed> packed_;
};

}  // namespace crescendo
