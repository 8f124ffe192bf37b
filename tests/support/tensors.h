// Makes tensors with given or random values.
#pragma once

#include "engine/tensor.h"
#include "support/random.h"

namespace crescendo::test {

inline void set(const Tensor& tensor, const std::vector<real>& values) {
  require(static_cast<int64_t>(values.size()) == tensor.size(), "set: ", values.size(), " values for ",
          tensor.shape());
  Backend& backend = tensor.device().backend();
  const bool activations = tensor.element() == Element::activation;
  if (activations && backend.capabilities().activation_bytes != sizeof(real))
    return tensor.upload(std::vector<float>(values.begin(), values.end()));
  void* to = activations ? static_cast<void*>(tensor.as_activations()) : tensor.as_reals();
  backend.upload(values.data(), to, tensor.bytes());
}

inline Tensor make_activations(const Device& device, const Shape& shape, const std::vector<real>& values) {
  const Tensor tensor = Tensor::activations(device, shape);
  set(tensor, values);
  return tensor;
}

inline Tensor make_reals(const Device& device, const Shape& shape, const std::vector<real>& values) {
  const Tensor tensor = Tensor::reals(device, shape);
  set(tensor, values);
  return tensor;
}

inline Tensor make_indices(const Device& device, const std::vector<int32_t>& values) {
  const Tensor tensor = Tensor::indices(device, {static_cast<int64_t>(values.size())});
  tensor.upload(values);
  return tensor;
}

inline Tensor random_activations(const Device& device, const Shape& shape, uint32_t seed) {
  return make_activations(device, shape, noise(shape.elements(), seed));
}

inline Tensor random_reals(const Device& device, const Shape& shape, uint32_t seed) {
  return make_reals(device, shape, noise(shape.elements(), seed));
}

// Returns a weight as in a ParameterStore: activations whose gradient is real.
inline Tensor random_weight(const Device& device, const Shape& shape, uint32_t seed) {
  const Tensor weight = random_activations(device, shape, seed);
  weight.bind_gradient(Tensor::reals(device, shape));
  return weight;
}

}  // namespace crescendo::test
