// Reads and writes the safetensors format (https://github.com/huggingface/safetensors). A file has three
// parts: the size of the header (8 bytes, little-endian); a JSON header with each tensor's type, shape and
// range of bytes, padded with spaces to a multiple of 8; the data. Files are untrusted input: any deviation
// from the format is rejected, with one line that names the file and the tensor or section.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernels/real.h"

namespace crescendo {

// A tensor in a file. Its values are bytes [begin, end) of the data, row-major, little-endian.
struct StoredTensor {
  std::string name;
  std::string type;  // "F32", "F64", "I64", ...
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;

  uint64_t bytes() const { return end - begin; }
};

// The type as which this build stores `real`.
constexpr const char* kStoredReal = sizeof(real) == 8 ? "F64" : "F32";

// Returns a name from a file as messages show it: on one line, with control characters escaped.
std::string printable(const std::string& name);
// Returns a shape as text: "[16, 3, 3, 3]".
std::string shape_text(const std::vector<int64_t>& shape);

// A file that is open for reading.
class SafetensorsFile {
 public:
  // Reads and checks the header: sizes, types, and that the tensors cover the data without gaps or overlaps.
  // Throws std::invalid_argument.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::vector<StoredTensor>& tensors() const { return tensors_; }  // in the order of the data
  const StoredTensor* find(const std::string& name) const;               // null if there is no such tensor
  const std::string& prefix() const { return prefix_; }                  // all bytes before the data

  // Reads a tensor's bytes. Throws std::invalid_argument if the file has become shorter.
  std::vector<std::byte> read(const StoredTensor&) const;

 private:
  std::string path_, prefix_;
  std::map<std::string, std::string> metadata_;
  std::vector<StoredTensor> tensors_;
};

// Converts the bytes of an F32, F64, F16 or BF16 tensor to reals. Throws std::invalid_argument for other
// types, with a message that begins with `where`.
std::vector<real> reals_from(const StoredTensor&, std::span<const std::byte> bytes, const std::string& where);

// Returns all bytes of a file before its data, and sets begin and end of each tensor. The tensors' data must
// follow in this order. Replaces invalid UTF-8 by U+FFFD. Throws std::invalid_argument for an unknown type,
// or if two tensors have the same name.
std::string safetensors_prefix(std::vector<StoredTensor>& tensors,
                               const std::map<std::string, std::string>& metadata);

}  // namespace crescendo
