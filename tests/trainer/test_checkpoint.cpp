// Checkpoints: everything comes back, in PyTorch's shapes; one flipped bit or missing byte anywhere is found;
// what does not fit the model is named.
#include "trainer/store/checkpoint.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "emulation/sanitizers.h"
#include "engine/safetensors.h"
#include "support/faulty_files.h"
#include "support/temporary_folder.h"
#include "support/tiny_state.h"

using namespace crescendo;

namespace {

// Demands that no way of reading a checkpoint takes this file, and that each says why in one line.
void check_rejected(const std::string& path, ParameterStore& store) {
  for (const std::string& message :
       {error_of([&] { verify_checkpoint(path); }), error_of([&] { load_weights(path, store); })}) {
    REQUIRE(message.starts_with(path + ": "));
    REQUIRE(message.find('\n') == std::string::npos);
    const std::string section = message.substr(path.size() + 2);
    REQUIRE_MESSAGE((section.starts_with("header: ") || section.starts_with("tensor ") ||
                     section.starts_with("metadata: ") || section.starts_with("data: ")),
                    message);
  }
}

// The tensors of a file as another program would write them.
struct ForeignFile {
  std::vector<StoredTensor> tensors;
  std::string data;

  template <class Value>
  void add(const std::string& name, const char* type, std::vector<int64_t> shape,
           const std::vector<Value>& values) {
    tensors.push_back({name, type, std::move(shape)});
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Value));
  }
  void write(const std::string& path) { write_text(path, safetensors_prefix(tensors, {}) + data); }
};

// The weights of a TinyState in the precision `Value`, those of element e being e + 1.
template <class Value>
ForeignFile foreign_weights(const char* type) {
  const auto counting = [](size_t count) {
    std::vector<Value> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<Value>(i + 1);
    return values;
  };
  ForeignFile file;
  file.add("conv.weight", type, {2, 2, 3, 1}, counting(12));
  file.add("norm.weight", type, {2}, counting(2));
  file.add("norm.running_mean", type, {2}, counting(2));
  file.add("fc.weight", type, {3, 2}, counting(6));
  file.add("fc.bias", type, {3}, counting(3));
  return file;
}

std::vector<real> values_of(const ParameterStore& store, size_t parameter) {
  const auto& p = store.parameters()[parameter];
  return store.download(store.values(), p->offset, p->shape.elements());
}

}  // namespace

TEST_CASE("a checkpoint brings back weights, statistics, optimizer state and everything it says of itself") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.safetensors";
  const TinyState saved(1, {"first", "second"});
  save_checkpoint(path, saved.state);
  TinyState loaded(2, {"first", "second"});
  CHECK(digest(loaded.state) != digest(saved.state));
  loaded.state.info = {};
  loaded.state.info.model = "tiny";
  load_checkpoint(path, loaded.state);
  CHECK(digest(loaded.state) == digest(saved.state));
  CHECK(checkpoint_digest(path) == digest(saved.state));
  CHECK(values_of(loaded.state.parameters, 0) == values_of(saved.state.parameters, 0));
  for (const CheckpointInfo& info : {loaded.state.info, read_checkpoint_info(path)}) {
    CHECK(info.model == "tiny");
    CHECK(info.class_names == saved.state.info.class_names);
    CHECK(info.config == saved.state.info.config);
    CHECK(info.counters.samples_seen == 640);
    CHECK(info.counters.updates == 5);
    CHECK(info.counters.seconds == 1.0 / 3);
    CHECK(info.extra == saved.state.info.extra);
  }
}

TEST_CASE("the digest is of values and names alone, and of every one of them") {
  const TinyState one;
  TinyState other;
  other.state.info = {};
  CHECK(digest(one.state) == digest(other.state));
  CHECK(digest(one.state).size() == 32);
  other.set("fc.bias", 2, std::nextafter(real{0.5}, real{1}));
  CHECK(digest(one.state) != digest(other.state));
  CHECK(digest(TinyState(1, {"first"}).state) != digest(TinyState(1, {"momentum"}).state));
  CHECK(digest(TinyState(1, {}).state) != digest(TinyState(1, {"momentum"}).state));
}

TEST_CASE("a checkpoint holds convolutions as [out, in, r, s] under the parameters' names") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.safetensors";
  const TinyState tiny;
  save_checkpoint(path, tiny.state);
  const SafetensorsFile file(path);
  std::vector<std::string> names;
  for (const StoredTensor& tensor : file.tensors()) names.push_back(tensor.name);
  CHECK(names == std::vector<std::string>{"conv.weight", "norm.weight", "fc.weight", "fc.bias",
                                          "norm.running_mean", "optimizer.momentum.conv.weight",
                                          "optimizer.momentum.norm.weight", "optimizer.momentum.fc.weight",
                                          "optimizer.momentum.fc.bias"});
  CHECK(file.metadata().at("format") == "pt");
  for (const char* name : {"conv.weight", "optimizer.momentum.conv.weight"})
    CHECK(file.find(name)->shape == std::vector<int64_t>{2, 2, 3, 1});
  CHECK(file.find("fc.weight")->shape == std::vector<int64_t>{3, 2});

  const std::vector<real> memory = values_of(tiny.state.parameters, 0);  // [2, 3, 1, 2]
  const StoredTensor& conv = *file.find("conv.weight");
  CHECK(conv.type == (sizeof(real) == 8 ? "F64" : "F32"));
  const std::vector<real> stored = reals_from(conv, file.read(conv), "");
  for (size_t k = 0; k < 2; ++k)
    for (size_t r = 0; r < 3; ++r)
      for (size_t c = 0; c < 2; ++c) CHECK(stored[(k * 2 + c) * 3 + r] == memory[(k * 3 + r) * 2 + c]);
}

TEST_CASE("a checkpoint cut at any byte, or with a byte more, is refused") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.safetensors";
  TinyState tiny;
  save_checkpoint(path, tiny.state);
  const std::string before = digest(tiny.state);
  const size_t whole = std::filesystem::file_size(path);
  std::filesystem::resize_file(path, whole + 1);
  check_rejected(path, tiny.state.parameters);
  for (size_t size = whole; size-- > 0;) {
    CAPTURE(size);
    std::filesystem::resize_file(path, size);
    check_rejected(path, tiny.state.parameters);
  }
  CHECK(digest(tiny.state) == before);
}

TEST_CASE("a checkpoint with any bit flipped is refused") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.safetensors";
  TinyState tiny;
  save_checkpoint(path, tiny.state);
  const std::string bytes = read_text(path), before = digest(tiny.state);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto put = [&](size_t place, char byte) {
    file.seekp(static_cast<std::streamoff>(place)).put(byte).flush();
  };
  for (size_t place = 0; place < bytes.size(); ++place) {
    const int bits = emulation::kSanitized ? 1 : 8;  // the sanitizers take 25 times as long
    for (int i = 0; i < bits; ++i) {
      const int bit = static_cast<int>((place + static_cast<size_t>(i)) % 8);
      CAPTURE(place);
      CAPTURE(bit);
      put(place, static_cast<char>(bytes[place] ^ (1 << bit)));
      check_rejected(path, tiny.state.parameters);
    }
    put(place, bytes[place]);
  }
  verify_checkpoint(path);
  CHECK(digest(tiny.state) == before);
}

TEST_CASE("read_checkpoint_info finds damage to the header") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.safetensors";
  save_checkpoint(path, TinyState().state);
  std::string bytes = read_text(path);
  bytes[bytes.find("640")] = '7';  // of samples_seen
  write_text(path, bytes);
  CHECK(error_of([&] {
          read_checkpoint_info(path);
        }).starts_with(path + ": header: is damaged, its digest is "));
}

TEST_CASE("a damaged tensor is named, and nothing is loaded") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.safetensors";
  save_checkpoint(path, TinyState(1).state);
  std::string bytes = read_text(path);
  bytes.back() ^= 1;
  write_text(path, bytes);
  TinyState tiny(2);
  const std::string before = digest(tiny.state);
  CHECK(error_of([&] {
          load_checkpoint(path, tiny.state);
        }).starts_with(path + ": tensor optimizer.momentum.fc.bias: is damaged, its digest is "));
  CHECK(digest(tiny.state) == before);
}

TEST_CASE("a checkpoint of another model, shape or optimizer is refused with both named") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.safetensors";
  TinyState tiny(1, {"first", "second"});
  save_checkpoint(path, tiny.state);
  const auto message = [&](TrainingState& state) { return error_of([&] { load_checkpoint(path, state); }); };

  TinyState momentum(1, {"momentum"});
  CHECK(message(momentum.state) == path + ": optimizer state: first, second, expected momentum");
  TinyState sgd(1, {});
  CHECK(message(sgd.state) == path + ": optimizer state: first, second, expected none");
  TinyState wider(1, {"first", "second"}, 5);
  CHECK(message(wider.state) == path + ": tensor fc.weight: has shape [3, 2], expected [3, 5]");
  tiny.state.info.model = "wrn-16-4";
  CHECK(message(tiny.state) == path + ": is a checkpoint of tiny, but the model here is wrn-16-4");
}

TEST_CASE("a state with a value that is not finite is not saved") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.safetensors";
  TinyState tiny;
  save_checkpoint(path, tiny.state);
  const std::string before = read_text(path);
  tiny.set("fc.weight", 3, std::numeric_limits<real>::infinity());
  CHECK_THROWS_AS(save_checkpoint(path, tiny.state), NonFiniteState);
  CHECK(error_of([&] { save_checkpoint(path, tiny.state); }) ==
        path + ": tensor fc.weight: holds a value that is not finite, not saved");
  tiny.set("fc.weight", 3, std::numeric_limits<real>::quiet_NaN());
  CHECK_THROWS_AS(save_checkpoint(path, tiny.state), NonFiniteState);
  CHECK(read_text(path) == before);
}

TEST_CASE("text that is not UTF-8 does not keep a state from being saved") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.safetensors";
  TinyState tiny;
  tiny.state.info.config = "data_dir = \"\xff\"";
  tiny.state.info.class_names = {"\xfe"};
  save_checkpoint(path, tiny.state);
  CHECK(read_checkpoint_info(path).config == "data_dir = \"\xef\xbf\xbd\"");
}

TEST_CASE("weights of other programs are loaded, in either precision") {
  const TemporaryFolder folder;
  const std::string path = folder / "w.safetensors";
  for (const bool doubles : {false, true}) {
    ForeignFile file = doubles ? foreign_weights<double>("F64") : foreign_weights<float>("F32");
    file.add("norm.num_batches_tracked", "I64", {}, std::vector<int64_t>{3});
    file.write(path);
    const TinyState tiny;
    load_weights(path, tiny.state.parameters);
    // stored [out, in, r, s] = 1..12, so in memory, [out, r, s, in]:
    CHECK(values_of(tiny.state.parameters, 0) == std::vector<real>{1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12});
    CHECK(values_of(tiny.state.parameters, 2) == std::vector<real>{1, 2, 3, 4, 5, 6});
    const auto& mean = tiny.state.parameters.statistics()[0];
    CHECK(tiny.state.parameters.download(tiny.state.parameters.statistic_values(), mean->offset, 2) ==
          std::vector<real>{1, 2});
  }
  CHECK(error_of([&] { read_checkpoint_info(path); }) ==
        path + ": metadata: not a checkpoint of this program, only weights");
}

TEST_CASE("weights of a checkpoint are loaded without its optimizer state") {
  const TemporaryFolder folder;
  const std::string path = folder / "c.safetensors";
  save_checkpoint(path, TinyState(1, {"momentum"}).state);
  const TinyState loaded(2, {});
  load_weights(path, loaded.state.parameters);
  CHECK(digest(loaded.state) == digest(TinyState(1, {}).state));
}

TEST_CASE("weights that are missing, misshapen, of another type, not finite or too many are named") {
  const TemporaryFolder folder;
  const std::string path = folder / "w.safetensors";
  const TinyState tiny;
  const std::string before = digest(tiny.state);
  const auto message = [&](ForeignFile file) {
    file.write(path);
    return error_of([&] { load_weights(path, tiny.state.parameters); });
  };
  ForeignFile missing = foreign_weights<float>("F32");
  missing.tensors.pop_back();
  missing.data.resize(missing.data.size() - 3 * sizeof(float));
  CHECK(message(missing) == path + ": tensor fc.bias: is missing");
  ForeignFile misshapen = foreign_weights<float>("F32");
  misshapen.tensors[0].shape = {2, 3, 1, 2};
  CHECK(message(misshapen) == path + ": tensor conv.weight: has shape [2, 3, 1, 2], expected [2, 2, 3, 1]");
  CHECK(message(foreign_weights<int64_t>("I64")) ==
        path + ": tensor conv.weight: holds I64, expected F32, F64, F16 or BF16");
  ForeignFile infinite = foreign_weights<float>("F32");
  const float infinity = std::numeric_limits<float>::infinity();
  std::memcpy(infinite.data.data() + 8, &infinity, sizeof infinity);
  CHECK(message(infinite) == path + ": tensor conv.weight: holds a value that is not finite");
  ForeignFile more = foreign_weights<float>("F32");
  more.add("fc2.weight", "F32", {1}, std::vector<float>{1});
  CHECK(message(more) == path + ": tensor fc2.weight: does not belong to the model");
  CHECK(digest(tiny.state) == before);
}

TEST_CASE("a checkpoint is saved whole or not at all, whichever call fails") {
  const TinyState old(1), fresh(2);
  FaultyFiles counting;
  const TemporaryFolder scratch;
  save_checkpoint(scratch / "c", fresh.state, counting);
  for (const auto fault : {FaultyFiles::Fault::once, FaultyFiles::Fault::forever}) {
    for (size_t at = 1; at <= counting.calls().size(); ++at) {
      CAPTURE(at);
      const std::string path = scratch / "c";
      save_checkpoint(path, old.state);
      FaultyFiles files(fault, at, ENOSPC);
      const std::string message = error_of([&] { save_checkpoint(path, fresh.state, files); });
      const std::string found = checkpoint_digest(path);
      CHECK((found == digest(old.state) || found == digest(fresh.state)));
      if (message.empty()) CHECK(found == digest(fresh.state));
    }
  }
}
