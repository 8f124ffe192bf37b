#include "data/fetch.h"

#include <unistd.h>

#include <cstdlib>

#include "base/check.h"
#include "data/cifar.h"
#include "data/process.h"

namespace crescendo {
namespace fs = std::filesystem;
namespace {

// Removes a file or folder on destruction, unless keep() was called.
class Provisional {
 public:
  explicit Provisional(fs::path path) : path_(std::move(path)) {}
  Provisional(const Provisional&) = delete;
  Provisional& operator=(const Provisional&) = delete;
  ~Provisional() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }
  void keep() { kept_ = true; }

 private:
  fs::path path_;
  bool kept_ = false;
};

// Returns the uppermost folder that creating `directory` would create; empty if `directory` exists.
fs::path first_missing(const fs::path& directory) {
  fs::path missing;
  for (fs::path at = fs::absolute(directory / "."); !fs::exists(at) && at.has_relative_path();
       at = at.parent_path())
    missing = at;
  return missing;
}

fs::path make_temporary_folder(const fs::path& directory) {
  std::string pattern = (directory / ".unpacking-XXXXXX").string();
  require(mkdtemp(pattern.data()) != nullptr, "data fetch: cannot write in ", directory.string());
  return pattern;
}

std::string download_problem(int status) {
  switch (status) {
    case 127:
      return "the program curl is not installed";
    case 5:
    case 6:
      return "no such host: is there a network?";
    case 7:
      return "no connection: is there a network?";
    case 22:
      return "the server refused the request";
    case 23:
      return "the disk is full or not writable";
    case 28:
      return "it took too long";
    default:
      return join("curl exited with status ", status);
  }
}

void download(const std::string& address, const fs::path& to) {
  const bool watched = isatty(STDERR_FILENO) != 0;
  const ProcessResult curl = run_process(
      {"curl", "--fail", "--location", "--proto-redir", "=https", "--connect-timeout", "20", "--retry", "2",
       watched ? "--progress-bar" : "--silent", "--output", to.string(), "--", address},
      !watched);
  require(curl.status == 0, "data fetch: cannot download ", address, ": ", download_problem(curl.status));
}

void check_md5(const CifarFormat& format, const fs::path& archive, const fs::path& shown) {
  const std::string found = file_md5(archive);
  require(found == format.md5, "data fetch: ", shown.string(), " has MD5 ", found, ", expected ", format.md5,
          ": it is damaged or not the official file");
}

// Unpacks into a temporary folder and renames it, so that a folder with the final name is always complete.
void unpack(const CifarFormat& format, const fs::path& archive, const fs::path& directory) {
  const Provisional temporary(make_temporary_folder(directory));
  const ProcessResult tar = run_process(
      {"tar", "-xzf", archive.string(), "--no-same-owner", "-C", temporary.path().string()}, true);
  require(
      tar.status == 0, "data fetch: cannot unpack ", archive.string(), ": ",
      tar.status == 127 ? "the program tar is not installed" : join("tar exited with status ", tar.status));
  const CifarReport report = verify_cifar(format, temporary.path());
  require(report.problems.empty(), report.problems.empty() ? "" : report.problems.front());
  std::error_code error;
  fs::rename(temporary.path() / format.folder, directory / format.folder, error);
  require(!error, "data fetch: cannot make ", (directory / format.folder).string(), ": ", error.message());
}

// Returns true if the files are already there and intact. Throws if they are damaged.
bool already_there(const CifarFormat& format, const fs::path& directory) {
  if (seek_cifar(format, directory).empty()) return false;
  const CifarReport report = verify_cifar(format, directory);
  require(report.problems.empty(), report.problems.empty() ? "" : report.problems.front(), " (remove ",
          report.folder.string(), " to fetch it again)");
  return true;
}

}  // namespace

std::string file_md5(const fs::path& path) {
  const ProcessResult md5sum = run_process({"md5sum", "--", path.string()}, true);
  require(md5sum.status != 127, "data: the program md5sum is not installed");
  require(md5sum.status == 0 && md5sum.output.size() > 32, "data: cannot read ", path.string());
  // A name with a backslash or line break makes md5sum begin its line with a backslash.
  return md5sum.output.substr(md5sum.output.front() == '\\' ? 1 : 0, 32);
}

void fetch_cifar(const CifarFormat& format, const fs::path& directory,
                 const std::function<void(const std::string&)>& say) {
  if (already_there(format, directory)) {
    say(join(format.title, " is already in ", seek_cifar(format, directory).string(), ", complete"));
    return;
  }
  Provisional made(first_missing(directory));
  std::error_code error;
  fs::create_directories(directory, error);
  require(!error && fs::is_directory(directory), "data fetch: cannot make the folder ", directory.string());

  const fs::path archive = directory / format.archive;
  if (fs::exists(archive)) {
    say(join("using ", archive.string()));
    check_md5(format, archive, archive);
    unpack(format, archive, directory);
  } else {
    say(join("downloading ", format.address()));
    const Provisional part(archive.string() + ".part");
    download(format.address(), part.path());
    check_md5(format, part.path(), format.address());
    unpack(format, part.path(), directory);
  }
  made.keep();
  say(join(format.title, " is in ", (directory / format.folder).string(), ", complete: train with --data ",
           format.kind, " --data-dir ", directory.string()));
}

}  // namespace crescendo
