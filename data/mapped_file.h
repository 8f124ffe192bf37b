// A file's bytes where the system keeps them anyway: nothing is copied, and nothing read before it is used.
#pragma once

#include <cstdint>
#include <filesystem>

namespace crescendo {

// Whoever shortens the file meanwhile ends the program (SIGBUS).
class MappedFile {
 public:
  // Throws std::system_error with the system's words.
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
