#include "data/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace crescendo {
namespace {

struct Descriptor {
  explicit Descriptor(const std::filesystem::path& path) : number(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number >= 0) close(number);
  }
  int number;
};

[[noreturn]] void fail() { throw std::system_error(errno, std::generic_category()); }

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file(path);
  struct stat status {};
  if (file.number < 0 || fstat(file.number, &status) != 0) fail();
  size_ = status.st_size;
  if (size_ == 0) return;  // mmap rejects size 0
  void* start = mmap(nullptr, static_cast<size_t>(size_), PROT_READ, MAP_PRIVATE, file.number, 0);
  if (start == MAP_FAILED) fail();
  data_ = static_cast<const uint8_t*>(start);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), static_cast<size_t>(size_));
}

}  // namespace crescendo
