#include "trainer/store/stored_weights.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/check.h"

namespace crescendo {
namespace {

// values [outer, rows, columns] -> [outer, columns, rows]
std::vector<real> transposed(const std::vector<real>& values, int64_t outer, int64_t rows, int64_t columns) {
  std::vector<real> result(values.size());
  size_t next = 0;
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t column = 0; column < columns; ++column)
      for (int64_t row = 0; row < rows; ++row)
        result[next++] = values[static_cast<size_t>((o * rows + row) * columns + column)];
  return result;
}

void upload_stored(ParameterStore& store, const StoredSlice& slice, const std::vector<real>& stored) {
  const Shape& shape = slice.shape;
  store.upload(slice.flat, slice.offset,
               shape.rank() == 4 ? transposed(stored, shape[0], shape[3], shape[1] * shape[2]) : stored);
}

}  // namespace

std::vector<StoredSlice> weight_slices(const ParameterStore& store) {
  std::vector<StoredSlice> slices;
  for (const auto& parameter : store.parameters())
    slices.push_back({parameter->name, parameter->shape, store.values(), parameter->offset});
  for (const auto& statistic : store.statistics())
    slices.push_back({statistic->name, statistic->shape, store.statistic_values(), statistic->offset});
  return slices;
}

std::vector<int64_t> stored_shape(const Shape& shape) {
  if (shape.rank() == 4) return {shape[0], shape[3], shape[1], shape[2]};
  return shape.sizes();
}

std::vector<real> values_to_store(const ParameterStore& store, const StoredSlice& slice) {
  std::vector<real> values = store.download(slice.flat, slice.offset, slice.shape.elements());
  const Shape& shape = slice.shape;
  return shape.rank() == 4 ? transposed(values, shape[0], shape[1] * shape[2], shape[3]) : values;
}

bool all_finite(const std::vector<real>& values) {
  return std::all_of(values.begin(), values.end(), [](real value) { return std::isfinite(value); });
}

std::vector<const StoredTensor*> match(const SafetensorsFile& file, const std::vector<StoredSlice>& slices,
                                       const std::function<bool(const std::string& name)>& ignorable) {
  std::vector<const StoredTensor*> matched;
  std::set<std::string> names;
  for (const StoredSlice& slice : slices) {
    const std::string where = file.path() + ": tensor " + slice.name;
    const StoredTensor* tensor = file.find(slice.name);
    require(tensor, where, ": is missing");
    require(tensor->shape == stored_shape(slice.shape), where, ": has shape ", shape_text(tensor->shape),
            ", expected ", shape_text(stored_shape(slice.shape)));
    matched.push_back(tensor);
    names.insert(slice.name);
  }
  for (const StoredTensor& tensor : file.tensors())
    require(names.contains(tensor.name) || ignorable(tensor.name), file.path(), ": tensor ",
            printable(tensor.name), ": does not belong to the model");
  return matched;
}

void load_slices(const SafetensorsFile& file, const std::vector<StoredSlice>& slices,
                 const std::vector<const StoredTensor*>& tensors, ParameterStore& store) {
  std::vector<std::vector<real>> values;
  for (const StoredTensor* tensor : tensors) {
    const std::string where = file.path() + ": tensor " + printable(tensor->name);
    values.push_back(reals_from(*tensor, file.read(*tensor), where));
    require(all_finite(values.back()), where, ": holds a value that is not finite");
  }
  for (size_t i = 0; i < slices.size(); ++i) upload_stored(store, slices[i], values[i]);
  store.refresh_weight_copy();
}

}  // namespace crescendo
