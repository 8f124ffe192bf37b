// The safetensors format (https://github.com/huggingface/safetensors): 8 bytes, little-endian, that count the
// header; a JSON header naming each tensor's type, shape and place in the data, padded with spaces to a
// multiple of 8; the data. A file is untrusted input: whatever is not exactly so is refused, in one line
// naming file, tensor or section.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernels/real.h"

namespace crescendo {

// One tensor of a file. Its bytes are [begin, end) of the data, row-major, little-endian.
struct StoredTensor {
  std::string name;
  std::string type;  // "F32", "F64", "I64", ...
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;

  uint64_t bytes() const { return end - begin; }
};

// The type under which this build stores `real`.
constexpr const char* kStoredReal = sizeof(real) == 8 ? "F64" : "F32";

// A name from a file as messages show it, on one line: control characters are escaped.
std::string printable(const std::string& name);
// "[16, 3, 3, 3]"
std::string shape_text(const std::vector<int64_t>& shape);

class SafetensorsFile {
 public:
  // Reads and checks the header: sizes, types, and that the tensors cover the data exactly, without gap or
  // overlap. Throws std::invalid_argument.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::vector<StoredTensor>& tensors() const { return tensors_; }  // in the data's order
  const StoredTensor* find(const std::string& name) const;               // null: there is none
  const std::string& prefix() const { return prefix_; }                  // all bytes before the data

  // Throws std::invalid_argument if the file has become shorter.
  std::vector<std::byte> read(const StoredTensor&) const;

 private:
  std::string path_, prefix_;
  std::map<std::string, std::string> metadata_;
  std::vector<StoredTensor> tensors_;
};

// The bytes of an F32, F64, F16 or BF16 tensor as reals; throws std::invalid_argument beginning with `where`
// for another type.
std::vector<real> reals_from(const StoredTensor&, std::span<const std::byte> bytes, const std::string& where);

// All bytes of a file before its data. The tensors follow in the order given; their begin and end are set.
// What is not UTF-8 in the metadata is replaced by U+FFFD.
std::string safetensors_prefix(std::vector<StoredTensor>& tensors,
                               const std::map<std::string, std::string>& metadata);

}  // namespace crescendo
