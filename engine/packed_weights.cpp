#include "engine/packed_weights.h"

namespace crescendo {
namespace {

// Returns the geometry that weights are packed for, which does not depend on the number of images.
Conv2dGeometry of_one_image(Conv2dGeometry g) {
  g.n = g.ghost = 1;
  return g;
}

}  // namespace

ConvolutionWeight PackedWeights::of(const Conv2dGeometry& g, const Tensor& weight) {
  const Conv2dGeometry one = of_one_image(g);
  const Device& device = weight.device();
  const activation* values = weight.as_activations();
  const auto found = packed_.find(values);
  if (found != packed_.end() && found->second.geometry == one)
    return {values, found->second.values.as_reals()};
  const int64_t size = device.backend().packed_weight_size(one);
  if (size == 0) return {values};
  // Images of another size may need another layout.
  Packed& kept = packed_[values];
  kept = {weight, one, Tensor::reals(device, {size})};
  device.run(PackWeight{.geometry = one, .weight = values, .packed = kept.values.as_reals()});
  return {values, kept.values.as_reals()};
}

}  // namespace crescendo
