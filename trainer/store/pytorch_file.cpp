#include "trainer/store/pytorch_file.h"

#include "trainer/store/checkpoint.h"
#include "trainer/store/stored_weights.h"

namespace crescendo {
namespace {

struct Entry {
  StoredTensor tensor;
  std::vector<real> values;
};

std::vector<Entry> entries_of(const Model& model, const std::string& path) {
  std::vector<Entry> entries;
  for (const StoredSlice& slice : weight_slices(model.parameters)) {
    if (slice.name.starts_with(std::string(kAuxiliaryHead) + ".")) continue;
    std::vector<real> values = values_to_store(model.parameters, slice);
    if (!all_finite(values))
      throw NonFiniteState(path + ": tensor " + slice.name + ": holds a value that is not finite, not saved");
    entries.push_back({{slice.name, kStoredReal, stored_shape(slice.shape)}, std::move(values)});
  }
  for (const auto& ones : model.parameters.ones()) {
    if (ones->name.starts_with(std::string(kAuxiliaryHead) + ".")) continue;
    entries.push_back({{ones->name, kStoredReal, ones->shape.sizes()},
                       std::vector<real>(static_cast<size_t>(ones->shape.elements()), 1)});
  }
  return entries;
}

}  // namespace

void save_for_pytorch(const std::string& path, const Model& model, FileSystem& files) {
  const std::vector<Entry> entries = entries_of(model, path);
  std::vector<StoredTensor> tensors;
  tensors.reserve(entries.size());
  for (const Entry& entry : entries) tensors.push_back(entry.tensor);
  const std::string prefix = safetensors_prefix(tensors, {{"format", "pt"}});
  DurableFile file(path, files);
  file.write(prefix.data(), prefix.size());
  for (const Entry& entry : entries) file.write(entry.values.data(), entry.values.size() * sizeof(real));
  file.commit();
}

}  // namespace crescendo
