#include "engine/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/check.h"

namespace crescendo {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

constexpr uint64_t kLengthBytes = 8, kAlignment = 8;
constexpr uint64_t kMaxHeader = 100'000'000;  // as in the reference implementation
constexpr size_t kMaxRank = 8;

const std::map<std::string, uint64_t> kTypeBytes = {
    {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
    {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"I64", 8},     {"U64", 8}, {"F64", 8}};

// Handles the events of the JSON parser and rejects everything that the format does not allow. So a malicious
// header cannot fill the memory with other values.
// Depth 1 is the header, 2 a tensor or the metadata, 3 a list.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(std::string where) : where_(std::move(where)) {}

  std::map<std::string, std::string> metadata;
  std::vector<StoredTensor> tensors;

  bool start_object(size_t) override {
    if (depth_ == 1 && name_ != kMetadata) tensors.emplace_back().name = name_;
    expect(depth_ == 0 || depth_ == 1, "an object");
    ++depth_;
    return true;
  }
  bool end_object() override {
    if (--depth_ == 1 && name_ != kMetadata) finish_tensor();
    keys_.clear();
    return true;
  }
  bool start_array(size_t) override {
    expect(in_tensor() && (key_ == "shape" || key_ == "data_offsets"), "a list");
    numbers_.clear();
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    if (key_ == "shape") {
      tensors.back().shape.assign(numbers_.begin(), numbers_.end());
    } else {
      require(numbers_.size() == 2, place(), ": data_offsets has ", numbers_.size(), " numbers, expected 2");
      tensors.back().begin = static_cast<uint64_t>(numbers_[0]);
      tensors.back().end = static_cast<uint64_t>(numbers_[1]);
    }
    return true;
  }
  bool key(string_t& key) override {
    require(depth_ > 1 || names_.insert(key).second, where_, ": header: ", printable(key), " is there twice");
    require(depth_ == 1 || keys_.insert(key).second, place(), ": ", printable(key), " is there twice");
    (depth_ == 1 ? name_ : key_) = key;
    return true;
  }
  bool string(string_t& text) override {
    expect((depth_ == 2 && name_ == kMetadata) || (in_tensor() && key_ == "dtype"), "a string");
    (name_ == kMetadata ? metadata[key_] : tensors.back().type) = text;
    return true;
  }
  bool number_unsigned(uint64_t number) override {
    expect(depth_ == 3, "a number");
    require(number <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()), place(), ": ", key_,
            " holds ", number, ", which does not fit 63 bits");
    require(numbers_.size() < kMaxRank, place(), ": ", key_, " has more than ", kMaxRank, " numbers");
    numbers_.push_back(static_cast<int64_t>(number));
    return true;
  }
  bool number_integer(int64_t number) override {
    require(false, place(), ": ", printable(key_), " holds ", number, ", expected no negative number");
    return false;
  }
  bool number_float(double, const string_t& text) override { return reject("the number " + text); }
  bool boolean(bool) override { return reject("true or false"); }
  bool null() override { return reject("null"); }
  bool binary(binary_t&) override { return reject("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    require(false, where_, ": header: not JSON at byte ", kLengthBytes + position - 1);
    return false;
  }

 private:
  static constexpr const char* kMetadata = "__metadata__";

  bool in_tensor() const { return depth_ == 2 && name_ != kMetadata; }
  std::string place() const {
    return where_ + ": " + (name_ == kMetadata ? "header: " : "tensor ") + printable(name_);
  }
  bool reject(const std::string& what) const {
    require(false, depth_ == 0 ? where_ + ": header" : place(), ": unexpected ", what);
    return false;
  }
  void expect(bool right, const char* what) const {
    if (!right) reject(what);
  }
  void finish_tensor() const {
    for (const char* key : {"dtype", "shape", "data_offsets"})
      require(keys_.contains(key), place(), ": ", key, " is missing");
    require(keys_.size() == 3, place(), ": has ", keys_.size(),
            " fields, expected dtype, shape and data_offsets");
  }

  std::string where_;
  int depth_ = 0;
  std::string name_, key_;              // latest key at depth 1 and at depth 2
  std::set<std::string> names_, keys_;  // keys seen at depth 1, and in the current object at depth 2
  std::vector<int64_t> numbers_;        // elements of the list at depth 3
};

std::string read_prefix(const std::string& path, uint64_t& file_bytes) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  require(std::filesystem::exists(status), path, ": no such file");
  require(std::filesystem::is_regular_file(status), path, ": not a file");
  std::ifstream file(path, std::ios::binary);
  require(file.is_open(), path, ": cannot be read");
  file_bytes = std::filesystem::file_size(path);
  require(file_bytes >= kLengthBytes, path, ": header: file has ", file_bytes, " bytes, expected at least ",
          kLengthBytes);
  uint64_t length = 0;
  file.read(reinterpret_cast<char*>(&length), kLengthBytes);
  require(length <= kMaxHeader && length <= file_bytes - kLengthBytes, path, ": header: ", length,
          " bytes long by its length, expected at most ", std::min(kMaxHeader, file_bytes - kLengthBytes));
  std::string prefix(kLengthBytes + length, '\0');
  std::memcpy(prefix.data(), &length, kLengthBytes);
  file.read(prefix.data() + kLengthBytes, static_cast<std::streamsize>(length));
  require(file.good(), path, ": header: cannot be read");
  return prefix;
}

// Returns a tensor's size in bytes, computed from type and shape.
uint64_t expected_bytes(const StoredTensor& tensor, const std::string& place) {
  const auto type = kTypeBytes.find(tensor.type);
  require(type != kTypeBytes.end(), place, ": unknown dtype ", printable(tensor.type));
  auto bytes = static_cast<int64_t>(type->second);
  for (const int64_t size : tensor.shape) bytes = checked_product(bytes, size, place.c_str());
  return static_cast<uint64_t>(bytes);
}

// Sorts the tensors by their position and checks that they cover `data_bytes` without gaps or overlaps.
void check_layout(std::vector<StoredTensor>& tensors, uint64_t data_bytes, const std::string& path) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  uint64_t covered = 0;
  for (const StoredTensor& tensor : tensors) {
    const std::string place = path + ": tensor " + printable(tensor.name);
    require(tensor.begin <= tensor.end, place, ": begins at ", tensor.begin, " but ends at ", tensor.end);
    const uint64_t expected = expected_bytes(tensor, place);
    require(tensor.bytes() == expected, place, ": has ", tensor.bytes(), " bytes, expected ", expected,
            " for ", tensor.type, " ", shape_text(tensor.shape));
    require(tensor.begin == covered, place, ": begins at byte ", tensor.begin, " of the data, expected ",
            covered);
    require(tensor.end <= data_bytes, place, ": ends at byte ", tensor.end, " of the data, but there are ",
            data_bytes);
    covered = tensor.end;
  }
  require(covered == data_bytes, path, ": data: ", data_bytes, " bytes, expected ", covered);
}

// Converts IEEE 754 binary16: sign, 5 bits of exponent, 10 bits of fraction.
float from_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float value = std::numeric_limits<float>::quiet_NaN();
  if (exponent < 31)
    value = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                          : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  else if (fraction == 0)
    value = std::numeric_limits<float>::infinity();
  return (bits & 0x8000) != 0 ? -value : value;
}

// Converts bfloat16, which is the upper half of a float.
float from_bfloat(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

}  // namespace

std::string printable(const std::string& name) {
  const std::string quoted =
      nlohmann::json(name).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (const int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path) {
  uint64_t file_bytes = 0;
  prefix_ = read_prefix(path, file_bytes);
  require(prefix_.size() > kLengthBytes && prefix_[kLengthBytes] == '{', path,
          ": header: does not begin with {");
  HeaderReader reader(path);
  nlohmann::json::sax_parse(prefix_.begin() + kLengthBytes, prefix_.end(), &reader);
  check_layout(reader.tensors, file_bytes - prefix_.size(), path);
  metadata_ = std::move(reader.metadata);
  tensors_ = std::move(reader.tensors);
}

const StoredTensor* SafetensorsFile::find(const std::string& name) const {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                  [&](const StoredTensor& tensor) { return tensor.name == name; });
  return found == tensors_.end() ? nullptr : &*found;
}

std::vector<std::byte> SafetensorsFile::read(const StoredTensor& tensor) const {
  std::vector<std::byte> bytes(tensor.bytes());
  std::ifstream file(path_, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(prefix_.size() + tensor.begin));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  require(file.good(), path_, ": tensor ", printable(tensor.name), ": cannot be read");
  return bytes;
}

std::vector<real> reals_from(const StoredTensor& tensor, std::span<const std::byte> bytes,
                             const std::string& where) {
  const auto convert = [&]<class Value>(Value, auto to_number) {
    std::vector<Value> stored(bytes.size() / sizeof(Value));
    std::memcpy(stored.data(), bytes.data(), stored.size() * sizeof(Value));
    std::vector<real> values(stored.size());
    std::transform(stored.begin(), stored.end(), values.begin(),
                   [&](Value value) { return static_cast<real>(to_number(value)); });
    return values;
  };
  if (tensor.type == "F32") return convert(float{}, [](float value) { return value; });
  if (tensor.type == "F64") return convert(double{}, [](double value) { return value; });
  if (tensor.type == "F16") return convert(uint16_t{}, from_half);
  require(tensor.type == "BF16", where, ": holds ", tensor.type, ", expected F32, F64, F16 or BF16");
  return convert(uint16_t{}, from_bfloat);
}

std::string safetensors_prefix(std::vector<StoredTensor>& tensors,
                               const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t place = 0;
  for (StoredTensor& tensor : tensors) {
    tensor.begin = place;
    tensor.end = place += expected_bytes(tensor, "safetensors: tensor " + tensor.name);
    require(!header.contains(tensor.name), "safetensors: two tensors are called ", tensor.name);
    header[tensor.name] = {
        {"dtype", tensor.type}, {"shape", tensor.shape}, {"data_offsets", {tensor.begin, tensor.end}}};
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  const uint64_t length = text.size();
  std::string prefix(kLengthBytes, '\0');
  std::memcpy(prefix.data(), &length, kLengthBytes);
  return prefix + text;
}

}  // namespace crescendo
