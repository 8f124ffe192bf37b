// Durable files. A file is written to `.<name>.tmp-<pid>` beside it, synced, renamed, and its folder synced.
// Its name always refers to the whole old or the whole new file, whatever fails and whenever the power goes.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <system_error>

namespace crescendo {

// A failed file operation: "runs/a/config.toml: cannot write: No space left on device".
class FileError : public std::system_error {
 public:
  FileError(const std::string& path, const std::string& action, int error);
};

// The system calls that change files, with their own names and rules (-1 and errno). Virtual, so tests can
// make any of them fail.
class FileSystem {
 public:
  static FileSystem& system();
  virtual ~FileSystem() = default;

  virtual int open(const std::string& path, int flags);  // created files get mode 0666 less the umask
  virtual ssize_t write(int descriptor, const void* data, size_t bytes);
  virtual int fdatasync(int descriptor);
  virtual int fsync(int descriptor);
  virtual int close(int descriptor);
  virtual int rename(const std::string& from, const std::string& to);
  virtual int unlink(const std::string& path);
};

// Call open() and write() again after EINTR and short writes. On failure open_file() returns -1 and
// write_all() returns false, with errno set.
int open_file(FileSystem&, const std::string& path, int flags);
bool write_all(FileSystem&, int descriptor, const void* data, size_t bytes);

// A file being written durably. Every failure throws FileError. Without commit() only the old file is left.
// Do not retry a failed sync, since the kernel may have dropped the pages: write the whole file again.
class DurableFile {
 public:
  explicit DurableFile(const std::string& path, FileSystem& files = FileSystem::system());
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;
  ~DurableFile();

  void write(const void* data, size_t bytes);
  void commit();  // once, after the last write

 private:
  [[noreturn]] void fail(const char* action, int error) const;

  std::string path_, temporary_;
  FileSystem& files_;
  int descriptor_ = -1;
  bool exists_ = false;  // the temporary file
};

// Writes `text` to a file durably. Throws FileError.
void write_durably(const std::string& path, const std::string& text,
                   FileSystem& files = FileSystem::system());

// Syncs the entries of a folder. Throws FileError.
void sync_folder(const std::string& folder, FileSystem& files = FileSystem::system());

// Removes the temporary files that killed writers left in a folder. Nobody may write there meanwhile.
void remove_temporaries(const std::string& folder, FileSystem& files = FileSystem::system());

}  // namespace crescendo
