// A file mapped into memory, read-only. Nothing is copied, and pages are read when they are first used.
#pragma once

#include <cstdint>
#include <filesystem>

namespace crescendo {

// If another program shortens the file, reading the missing bytes ends this one (SIGBUS).
class MappedFile {
 public:
  // Maps the whole file. Throws std::system_error.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const uint8_t* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  const uint8_t* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace crescendo
