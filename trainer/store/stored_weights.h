// The tensors of a model as files have them: under their own names, convolution weights [out, in, r, s]
// (PyTorch's order), everything else as it is in memory.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/parameters.h"
#include "engine/safetensors.h"

namespace crescendo {

// A stored tensor's place in memory.
struct StoredPlace {
  std::string name;
  Shape shape;  // in memory
  Tensor flat;  // the buffer it is part of
  int64_t offset = 0;
};

// Of parameters and running statistics.
std::vector<StoredPlace> weight_places(const ParameterStore& store);

std::vector<int64_t> stored_shape(const Shape& shape);
std::vector<real> values_to_store(const ParameterStore& store, const StoredPlace& place);
bool all_finite(const std::vector<real>& values);

// The stored tensor for each place. Of the file's other tensors all must be `ignorable`. Throws
// std::invalid_argument naming what is missing, misshapen or has no place.
std::vector<const StoredTensor*> match(const SafetensorsFile& file, const std::vector<StoredPlace>& places,
                                       const std::function<bool(const std::string& name)>& ignorable);

// Fills the places with the tensors; reads everything, and demands that it is finite, before it changes
// anything.
void load_places(const SafetensorsFile& file, const std::vector<StoredPlace>& places,
                 const std::vector<const StoredTensor*>& tensors, ParameterStore& store);

}  // namespace crescendo
