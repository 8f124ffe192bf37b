// Durable files. A file is written to `.<name>.tmp-<pid>` beside it, synced, renamed, and its folder synced,
// so that under its name there is always the whole old or the whole new one, whatever fails and whenever the
// power goes.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string>
#include <system_error>

namespace crescendo {

// What failed: "runs/a/config.toml: cannot write: No space left on device".
class FileError : public std::system_error {
 public:
  FileError(const std::string& path, const std::string& action, int error);
};

// The system calls that change files, under their own names and rules (-1 and errno). Virtual so that tests
// can make any of them fail.
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

// open() and write() that go on after EINTR and short writes; false (and errno) on failure.
int open_file(FileSystem&, const std::string& path, int flags);
bool write_all(FileSystem&, int descriptor, const void* data, size_t bytes);

// A file being written durably. Whatever fails throws FileError, and without commit() nothing but the old
// file is left. A failed sync is not tried again (the kernel may have dropped the pages): write the whole
// file anew.
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

void write_durably(const std::string& path, const std::string& text,
                   FileSystem& files = FileSystem::system());

// Syncs a folder's entries.
void sync_folder(const std::string& folder, FileSystem& files = FileSystem::system());

// Removes what killed writers left in a folder. The caller sees to it that nobody writes there meanwhile.
void remove_temporaries(const std::string& folder, FileSystem& files = FileSystem::system());

}  // namespace crescendo
