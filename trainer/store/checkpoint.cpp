#include "trainer/store/checkpoint.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/check.h"
#include "base/xxh3.h"
#include "engine/safetensors.h"
#include "trainer/store/stored_weights.h"

namespace crescendo {
namespace {

using nlohmann::json;
using Metadata = std::map<std::string, std::string>;

constexpr const char* kFormatVersion = "1";
const std::string kOptimizer = "optimizer.";
const std::string kNoDigest(32, '0');  // in the header while its own digest is computed
// The metadata keys of a checkpoint. A file that has any of them must have all.
const char* const kKeys[] = {"crescendo", "model", "classes", "config",
                             "counters",  "extra", "digests", "digest"};

std::vector<StoredSlice> all_slices(const TrainingState& state) {
  std::vector<StoredSlice> slices = weight_slices(state.parameters);
  for (const OptimizerBuffer& buffer : state.optimizer)
    for (const auto& parameter : state.parameters.parameters())
      slices.push_back({kOptimizer + buffer.name + "." + parameter->name, parameter->shape, buffer.values,
                        parameter->offset});
  return slices;
}

// ---- Metadata

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string text_of(const Counters& counters) {
  return json{
      {"samples_seen", counters.samples_seen}, {"updates", counters.updates}, {"seconds", counters.seconds}}
      .dump();
}

CheckpointInfo info_from(const Metadata& metadata, const std::string& path) {
  try {
    CheckpointInfo info;
    info.model = metadata.at("model");
    info.class_names = json::parse(metadata.at("classes")).get<std::vector<std::string>>();
    info.config = metadata.at("config");
    const json counters = json::parse(metadata.at("counters"));
    counters.at("samples_seen").get_to(info.counters.samples_seen);
    counters.at("updates").get_to(info.counters.updates);
    counters.at("seconds").get_to(info.counters.seconds);
    info.extra = json::parse(metadata.at("extra")).get<Metadata>();
    return info;
  } catch (const json::exception& error) {
    throw std::invalid_argument(path + ": metadata: " + error.what());
  }
}

// Returns the offset of the header's own digest. The first `"digest":"` is its key, since quotation marks
// inside strings are escaped.
size_t digest_offset(const std::string& prefix) {
  const std::string key = "\"digest\":\"";
  const size_t found = prefix.find(key);
  return found == std::string::npos ? found : found + key.size();
}

std::string header_digest(std::string prefix) {
  const size_t offset = digest_offset(prefix);
  if (offset == std::string::npos || offset + kNoDigest.size() > prefix.size()) return "none";
  prefix.replace(offset, kNoDigest.size(), kNoDigest);
  return xxh3_128(prefix.data(), prefix.size()).hexadecimal();
}

// Returns true if the file has any key of a checkpoint. A damaged header keeps some of them, so a damaged
// checkpoint is not taken for a file from elsewhere.
bool is_checkpoint(const SafetensorsFile& file) {
  return std::any_of(std::begin(kKeys), std::end(kKeys),
                     [&](const char* key) { return file.metadata().contains(key); });
}

void check_header(const SafetensorsFile& file) {
  const Metadata& metadata = file.metadata();
  require(is_checkpoint(file), file.path(), ": metadata: not a checkpoint of this program, only weights");
  for (const char* key : kKeys)
    require(metadata.contains(key), file.path(), ": metadata: ", key, " is missing");
  require(metadata.at("crescendo") == kFormatVersion, file.path(), ": metadata: is of format version ",
          printable(metadata.at("crescendo")), ", expected ", kFormatVersion);
  const std::string found = header_digest(file.prefix()), expected = metadata.at("digest");
  require(found == expected, file.path(), ": header: is damaged, its digest is ", found, ", expected ",
          printable(expected));
}

// Returns the digest of each tensor by name. The header must have been checked.
Metadata tensor_digests(const SafetensorsFile& file) {
  try {
    return json::parse(file.metadata().at("digests")).get<Metadata>();
  } catch (const json::exception& error) {
    throw std::invalid_argument(file.path() + ": metadata: digests: " + error.what());
  }
}

void check_all(const SafetensorsFile& file) {
  check_header(file);
  const Metadata digests = tensor_digests(file);
  for (const StoredTensor& tensor : file.tensors()) {
    const std::string where = file.path() + ": tensor " + printable(tensor.name);
    require(digests.contains(tensor.name), where, ": has no digest");
    const std::vector<std::byte> bytes = file.read(tensor);
    const std::string found = xxh3_128(bytes.data(), bytes.size()).hexadecimal();
    require(found == digests.at(tensor.name), where, ": is damaged, its digest is ", found, ", expected ",
            digests.at(tensor.name));
  }
}

// ---- Loading

std::string listed(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

// Returns true for the batch counter that PyTorch's batch norm keeps beside its running statistics.
bool is_batch_count(const std::string& name, const ParameterStore& store) {
  const std::string count = "num_batches_tracked";
  if (!name.ends_with("." + count)) return false;
  const std::string mean = name.substr(0, name.size() - count.size()) + "running_mean";
  return std::any_of(store.statistics().begin(), store.statistics().end(),
                     [&](const auto& statistic) { return statistic->name == mean; });
}

void check_optimizer(const SafetensorsFile& file, const TrainingState& state) {
  std::set<std::string> found, expected;
  for (const StoredTensor& tensor : file.tensors())
    if (tensor.name.starts_with(kOptimizer)) {
      const size_t begin = kOptimizer.size();
      found.insert(tensor.name.substr(begin, tensor.name.find('.', begin) - begin));
    }
  for (const OptimizerBuffer& buffer : state.optimizer) expected.insert(buffer.name);
  require(found == expected, file.path(), ": optimizer state: ", printable(listed(found)), ", expected ",
          listed(expected));
}

// ---- Digests of states

// Returns the digest of all tensors. `names` are in the order of the file's data; `digests` has one for each.
std::string combined_digest(const std::vector<std::string>& names, const Metadata& digests) {
  std::string text;
  for (const std::string& name : names) text += name + " " + digests.at(name) + "\n";
  return xxh3_128(text.data(), text.size()).hexadecimal();
}

std::string stored_digest(const ParameterStore& store, const StoredSlice& slice) {
  const std::vector<real> values = values_to_store(store, slice);
  return xxh3_128(values.data(), values.size() * sizeof(real)).hexadecimal();
}

// Returns the header with all digests in it. Throws NonFiniteState.
std::string make_prefix(const TrainingState& state, const std::vector<StoredSlice>& slices,
                        const std::string& path) {
  std::vector<StoredTensor> tensors;
  Metadata digests;
  for (const StoredSlice& slice : slices) {
    const std::vector<real> values = values_to_store(state.parameters, slice);
    if (!all_finite(values))
      throw NonFiniteState(path + ": tensor " + slice.name + ": holds a value that is not finite, not saved");
    digests[slice.name] = xxh3_128(values.data(), values.size() * sizeof(real)).hexadecimal();
    tensors.push_back({slice.name, kStoredReal, stored_shape(slice.shape)});
  }
  const CheckpointInfo& info = state.info;
  const Metadata metadata = {{"format", "pt"},  // required by Python's readers
                             {"crescendo", kFormatVersion},
                             {"model", info.model},
                             {"classes", dump(info.class_names)},
                             {"config", info.config},
                             {"counters", text_of(info.counters)},
                             {"extra", dump(info.extra)},
                             {"digests", dump(digests)},
                             {"digest", kNoDigest}};
  std::string prefix = safetensors_prefix(tensors, metadata);
  return prefix.replace(digest_offset(prefix), kNoDigest.size(), header_digest(prefix));
}

}  // namespace

void save_checkpoint(const std::string& path, const TrainingState& state, FileSystem& files) {
  const std::vector<StoredSlice> slices = all_slices(state);
  const std::string prefix = make_prefix(state, slices, path);
  DurableFile file(path, files);
  file.write(prefix.data(), prefix.size());
  for (const StoredSlice& slice : slices) {
    const std::vector<real> values = values_to_store(state.parameters, slice);
    file.write(values.data(), values.size() * sizeof(real));
  }
  file.commit();
}

void load_checkpoint(const std::string& path, TrainingState& state) {
  verify_checkpoint(path);
  load_verified_checkpoint(path, state);
}

void load_verified_checkpoint(const std::string& path, TrainingState& state) {
  const SafetensorsFile file(path);
  check_header(file);
  const CheckpointInfo info = info_from(file.metadata(), path);
  require(info.model == state.info.model, path, ": is a checkpoint of ", info.model,
          ", but the model here is ", state.info.model);
  check_optimizer(file, state);
  const std::vector<StoredSlice> slices = all_slices(state);
  load_slices(file, slices, match(file, slices, [](const std::string&) { return false; }), state.parameters);
  state.info = info;
}

void load_weights(const std::string& path, ParameterStore& parameters) {
  const SafetensorsFile file(path);
  if (is_checkpoint(file)) check_all(file);
  const std::vector<StoredSlice> slices = weight_slices(parameters);
  const auto ignorable = [&, checkpoint = is_checkpoint(file)](const std::string& name) {
    return checkpoint ? name.starts_with(kOptimizer) : is_batch_count(name, parameters);
  };
  load_slices(file, slices, match(file, slices, ignorable), parameters);
}

CheckpointInfo read_checkpoint_info(const std::string& path) {
  const SafetensorsFile file(path);
  check_header(file);
  return info_from(file.metadata(), path);
}

void verify_checkpoint(const std::string& path) { check_all(SafetensorsFile(path)); }

std::string digest(const TrainingState& state) {
  std::vector<std::string> names;
  Metadata digests;
  for (const StoredSlice& slice : all_slices(state)) {
    names.push_back(slice.name);
    digests[slice.name] = stored_digest(state.parameters, slice);
  }
  return combined_digest(names, digests);
}

std::string checkpoint_digest(const std::string& path) {
  const SafetensorsFile file(path);
  check_all(file);
  std::vector<std::string> names;
  for (const StoredTensor& tensor : file.tensors()) names.push_back(tensor.name);
  return combined_digest(names, tensor_digests(file));
}

}  // namespace crescendo
