#include "data/image_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/xxh3.h"
#include "data/folder_listing.h"
#include "data/image_pack.h"

namespace crescendo {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kLargestFile = int64_t{1} << 29;

class FolderSource final : public PictureSource {
 public:
  explicit FolderSource(FolderListing listing) : listing_(std::move(listing)) {}

  int64_t size() const override { return static_cast<int64_t>(listing_.files.size()); }
  const std::vector<std::string>& class_names() const override { return listing_.class_names; }
  int32_t label(int64_t index) const override { return listing_.labels[static_cast<size_t>(index)]; }
  std::string location() const override { return listing_.folder.string(); }
  std::string name(int64_t index) const override { return listing_.name(index); }
  bool needs_decoder() const override { return true; }
  std::vector<DatasetNote> notes() const override;
  uint64_t fingerprint(int64_t index) const override {
    std::error_code error;
    const uintmax_t bytes = fs::file_size(listing_.path(index), error);
    return error ? 0 : bytes;
  }
  PictureRecord read(int64_t index, std::vector<uint8_t>& buffer) const override {
    return read_picture_file(listing_.path(index), buffer);
  }

 private:
  FolderListing listing_;
};

std::vector<DatasetNote> FolderSource::notes() const {
  if (listing_.ignored.empty()) return {};
  return {{join(listing_.ignored.size(), " ignored in ", listing_.folder.string()), listing_.ignored}};
}

struct OpenFile {
  explicit OpenFile(const fs::path& path) : number(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (number >= 0) close(number);
  }
  int number;
};

}  // namespace

PictureRecord read_picture_file(const fs::path& path, std::vector<uint8_t>& file) {
  const OpenFile in(path);
  struct stat status {};
  const bool opened = in.number >= 0 && fstat(in.number, &status) == 0;
  require(opened, "cannot be opened: ", std::strerror(errno));
  require(S_ISREG(status.st_mode), "is not a file");
  require(status.st_size <= kLargestFile, "has ", status.st_size, " bytes, expected at most ", kLargestFile);
  file.resize(static_cast<size_t>(status.st_size));
  for (size_t done = 0; done < file.size();) {
    const ssize_t count = ::read(in.number, file.data() + done, file.size() - done);
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, "cannot be read: ", std::strerror(errno));
    require(count > 0, "became shorter while it was read");
    done += static_cast<size_t>(count);
  }
  return {.bytes = file};
}

std::shared_ptr<const PictureSource> read_image_folder(const DatasetOptions& options, Split split) {
  return std::make_shared<const FolderSource>(list_image_folder(options, split));
}

std::shared_ptr<const PictureSource> open_pictures(const DatasetOptions& options, Split split) {
  require(!options.directory.empty(),
          "image-folder: --data-dir is missing: a folder with train and val, or a pack");
  if (!fs::is_regular_file(options.directory)) return read_image_folder(options, split);
  require(options.val_directory.empty(), "image-folder: --val-dir is for folders, and ", options.directory,
          " is a pack");
  return open_image_pack(options.directory, split);
}

std::shared_ptr<const Dataset> read_images(const DatasetOptions& options, Split split) {
  return std::make_shared<const PictureSet>(choose_pictures(open_pictures(options, split), options, split),
                                            recipe_of(options.augment), options.image_size,
                                            options.augments(split));
}

DatasetTraits count_images(const DatasetOptions& options) {
  const auto train = open_pictures(options, Split::train), test = open_pictures(options, Split::test);
  return {.image_size = {},
          .classes = static_cast<int64_t>(train->class_names().size()),
          .train_images = train->size(),
          .test_images = test->size()};
}

bool looks_like_image_folder(const fs::path& directory) {
  std::error_code error;
  return fs::is_directory(directory / "train", error) || fs::is_directory(directory / "val", error);
}

CropRecipe recipe_of(Augment augment) {
  return augment == Augment::inception ? inception_recipe() : goyal_recipe();
}

}  // namespace crescendo
