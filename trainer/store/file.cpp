#include "trainer/store/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace crescendo {
namespace {

constexpr const char* kTemporaryMark = ".tmp-";

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string temporary_name(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  return folder_of(path) + "/." + name + kTemporaryMark + std::to_string(getpid());
}

// Tries a sync again after EINTR only: then waiting was interrupted, and nothing was lost.
template <class Sync>
bool sync_all(Sync sync) {
  int result = 0;
  do result = sync();
  while (result < 0 && errno == EINTR);
  return result == 0;
}

}  // namespace

FileError::FileError(const std::string& path, const std::string& action, int error)
    : std::system_error(error, std::generic_category(), path + ": cannot " + action) {}

FileSystem& FileSystem::system() {
  static FileSystem files;
  return files;
}

int FileSystem::open(const std::string& path, int flags) {
  return ::open(path.c_str(), flags | O_CLOEXEC, 0666);
}
ssize_t FileSystem::write(int descriptor, const void* data, size_t bytes) {
  return ::write(descriptor, data, bytes);
}
int FileSystem::fdatasync(int descriptor) { return ::fdatasync(descriptor); }
int FileSystem::fsync(int descriptor) { return ::fsync(descriptor); }
int FileSystem::close(int descriptor) { return ::close(descriptor); }
int FileSystem::rename(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str());
}
int FileSystem::unlink(const std::string& path) { return ::unlink(path.c_str()); }

int open_file(FileSystem& files, const std::string& path, int flags) {
  int descriptor = 0;
  do descriptor = files.open(path, flags);
  while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

bool write_all(FileSystem& files, int descriptor, const void* data, size_t bytes) {
  const char* rest = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = files.write(descriptor, rest, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written == 0) errno = EIO;  // a write of 0 bytes to a file makes no progress
    if (written <= 0) return false;
    rest += written;
    bytes -= static_cast<size_t>(written);
  }
  return true;
}

DurableFile::DurableFile(const std::string& path, FileSystem& files)
    : path_(path), temporary_(temporary_name(path)), files_(files) {
  descriptor_ = open_file(files_, temporary_, O_WRONLY | O_CREAT | O_TRUNC);
  if (descriptor_ < 0) fail("write", errno);
  exists_ = true;
}

DurableFile::~DurableFile() {
  if (descriptor_ >= 0) files_.close(descriptor_);
  if (exists_) files_.unlink(temporary_);
}

void DurableFile::write(const void* data, size_t bytes) {
  if (!write_all(files_, descriptor_, data, bytes)) fail("write", errno);
}

void DurableFile::commit() {
  if (!sync_all([&] { return files_.fdatasync(descriptor_); })) fail("sync", errno);
  const int closed = files_.close(descriptor_);
  descriptor_ = -1;  // closed even if close() reports an error
  if (closed < 0 && errno != EINTR) fail("close", errno);
  if (files_.rename(temporary_, path_) < 0) fail("rename", errno);
  exists_ = false;
  sync_folder(folder_of(path_), files_);
}

void DurableFile::fail(const char* action, int error) const { throw FileError(path_, action, error); }

void write_durably(const std::string& path, const std::string& text, FileSystem& files) {
  DurableFile file(path, files);
  file.write(text.data(), text.size());
  file.commit();
}

void sync_folder(const std::string& folder, FileSystem& files) {
  const int descriptor = open_file(files, folder, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) throw FileError(folder, "open", errno);
  const bool synced = sync_all([&] { return files.fsync(descriptor); });
  const int error = errno;
  files.close(descriptor);
  if (!synced) throw FileError(folder, "sync", error);
}

void remove_temporaries(const std::string& folder, FileSystem& files) {
  std::error_code ignored;  // a folder that cannot be listed is reported elsewhere
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') && name.find(kTemporaryMark) != std::string::npos)
      files.unlink(entry.path().string());
  }
}

}  // namespace crescendo
