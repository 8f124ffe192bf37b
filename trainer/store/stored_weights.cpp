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

void upload_stored(ParameterStore& store, const StoredPlace& place, const std::vector<real>& stored) {
  const Shape& shape = place.shape;
  store.upload(place.flat, place.offset,
               shape.rank() == 4 ? transposed(stored, shape[0], shape[3], shape[1] * shape[2]) : stored);
}

}  // namespace

std::vector<StoredPlace> weight_places(const ParameterStore& store) {
  std::vector<StoredPlace> places;
  for (const auto& parameter : store.parameters())
    places.push_back({parameter->name, parameter->shape, store.values(), parameter->offset});
  for (const auto& statistic : store.statistics())
    places.push_back({statistic->name, statistic->shape, store.statistic_values(), statistic->offset});
  return places;
}

std::vector<int64_t> stored_shape(const Shape& shape) {
  if (shape.rank() == 4) return {shape[0], shape[3], shape[1], shape[2]};
  return shape.sizes();
}

std::vector<real> values_to_store(const ParameterStore& store, const StoredPlace& place) {
  std::vector<real> values = store.download(place.flat, place.offset, place.shape.elements());
  const Shape& shape = place.shape;
  return shape.rank() == 4 ? transposed(values, shape[0], shape[1] * shape[2], shape[3]) : values;
}

bool all_finite(const std::vector<real>& values) {
  return std::all_of(values.begin(), values.end(), [](real value) { return std::isfinite(value); });
}

std::vector<const StoredTensor*> match(const SafetensorsFile& file, const std::vector<StoredPlace>& places,
                                       const std::function<bool(const std::string& name)>& ignorable) {
  std::vector<const StoredTensor*> matched;
  std::set<std::string> names;
  for (const StoredPlace& place : places) {
    const std::string where = file.path() + ": tensor " + place.name;
    const StoredTensor* tensor = file.find(place.name);
    require(tensor, where, ": is missing");
    require(tensor->shape == stored_shape(place.shape), where, ": has shape ", shape_text(tensor->shape),
            ", expected ", shape_text(stored_shape(place.shape)));
    matched.push_back(tensor);
    names.insert(place.name);
  }
  for (const StoredTensor& tensor : file.tensors())
    require(names.contains(tensor.name) || ignorable(tensor.name), file.path(), ": tensor ",
            printable(tensor.name), ": has no place in the model");
  return matched;
}

void load_places(const SafetensorsFile& file, const std::vector<StoredPlace>& places,
                 const std::vector<const StoredTensor*>& tensors, ParameterStore& store) {
  std::vector<std::vector<real>> values;
  for (const StoredTensor* tensor : tensors) {
    const std::string where = file.path() + ": tensor " + printable(tensor->name);
    values.push_back(reals_from(*tensor, file.read(*tensor), where));
    require(all_finite(values.back()), where, ": holds a value that is not finite");
  }
  for (size_t i = 0; i < places.size(); ++i) upload_stored(store, places[i], values[i]);
  store.refresh_weight_copy();
}

}  // namespace crescendo
