// The tensors of a model as files have them: under their own names, convolution weights [out, in, r, s]
// (PyTorch's order), everything else as it is in memory.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/parameters.h"
#include "engine/safetensors.h"

namespace crescendo {

// A tensor of the model as a slice of a flat buffer, with its name in the file.
struct StoredSlice {
  std::string name;
  Shape shape;  // in memory
  Tensor flat;  // the buffer it is part of
  int64_t offset = 0;
};

// Returns the slices of all parameters and running statistics.
std::vector<StoredSlice> weight_slices(const ParameterStore& store);

// Return the shape that a tensor has in a file, and the values of a slice in that order.
std::vector<int64_t> stored_shape(const Shape& shape);
std::vector<real> values_to_store(const ParameterStore& store, const StoredSlice& slice);
bool all_finite(const std::vector<real>& values);

// Returns the stored tensor for each slice. All other tensors of the file must be `ignorable`. Throws
// std::invalid_argument with the name of a tensor that is missing, has another shape or does not belong to
// the model.
std::vector<const StoredTensor*> match(const SafetensorsFile& file, const std::vector<StoredSlice>& slices,
                                       const std::function<bool(const std::string& name)>& ignorable);

// Loads the tensors into the slices. Throws std::invalid_argument, before it changes anything, if a value is
// not finite.
void load_slices(const SafetensorsFile& file, const std::vector<StoredSlice>& slices,
                 const std::vector<const StoredTensor*>& tensors, ParameterStore& store);

}  // namespace crescendo
