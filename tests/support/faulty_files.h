// A file system whose n-th call fails: once, from then on, by a short write, or by the end of the process.
#pragma once

#include <cerrno>
#include <string>
#include <vector>

#include "trainer/store/file.h"

namespace crescendo {

class FaultyFiles : public FileSystem {
 public:
  enum class Fault { none, once, forever, short_write, kill };
  struct Killed {};  // thrown where the process would end; later calls do nothing

  FaultyFiles() = default;
  FaultyFiles(Fault fault, size_t at, int error = EIO) : fault_(fault), at_(at), error_(error) {}

  const std::vector<std::string>& calls() const { return calls_; }

  int open(const std::string& path, int flags) override {
    return strikes("open") ? -1 : FileSystem::open(path, flags);
  }
  ssize_t write(int descriptor, const void* data, size_t bytes) override {
    if (strikes("write")) return -1;
    const bool less = fault_ == Fault::short_write && calls_.size() >= at_;
    return FileSystem::write(descriptor, data, less ? (bytes + 1) / 2 : bytes);
  }
  int fdatasync(int descriptor) override {
    return strikes("fdatasync") ? -1 : FileSystem::fdatasync(descriptor);
  }
  int fsync(int descriptor) override { return strikes("fsync") ? -1 : FileSystem::fsync(descriptor); }
  int close(int descriptor) override {
    const bool failed = strikes("close");
    FileSystem::close(descriptor);  // even a failing close() closes, and so does the end of a process
    errno = error_;
    return failed ? -1 : 0;
  }
  int rename(const std::string& from, const std::string& to) override {
    return strikes("rename") ? -1 : FileSystem::rename(from, to);
  }
  int unlink(const std::string& path) override { return strikes("unlink") ? -1 : FileSystem::unlink(path); }

 private:
  bool strikes(const char* call) {
    calls_.push_back(call);
    errno = error_;
    if (killed_) return true;
    if (fault_ == Fault::kill && calls_.size() == at_) {
      killed_ = true;
      throw Killed{};
    }
    return (fault_ == Fault::once && calls_.size() == at_) ||
           (fault_ == Fault::forever && calls_.size() >= at_);
  }

  Fault fault_ = Fault::none;
  size_t at_ = 0;  // number of the failing call, from 1
  int error_ = EIO;
  bool killed_ = false;
  std::vector<std::string> calls_;
};

}  // namespace crescendo
