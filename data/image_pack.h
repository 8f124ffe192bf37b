// A pack: one file with the pictures of both splits, which is mapped into memory. Records follow one another
// without gaps, then come an index and a footer. A digest covers every byte. Numbers are little-endian.
//
//   offset 0      16 bytes  kPackMagic
//   16            records   original files, JPEG files, or pixels [height, width, 3] RGB
//   footer.index  index     PackIndexHeader; one PackEntry per picture, first those of train; class names,
//                           each followed by a line break; names of the pictures, without separators
//   size - 48     footer    PackFooter
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/xxh3.h"
#include "data/mapped_file.h"
#include "data/picture_set.h"

namespace crescendo {

// The form of the pictures in a pack: original files, re-encoded JPEG files, or pixels.
enum class PackContent : uint32_t { files, jpeg, raw };

inline constexpr char kPackMagic[17] = "crescendo-pack-1";
inline constexpr int64_t kPackMagicBytes = 16;

struct PackIndexHeader {
  PackContent content = PackContent::files;
  uint32_t short_side = 0;                   // larger pictures were reduced to this short side; 0: none was
  uint64_t images[2] = {}, classes = 0;      // number of images in train and val, number of classes
  uint64_t class_bytes = 0, name_bytes = 0;  // size of all class names and of all picture names
};

struct PackEntry {
  uint64_t offset = 0, bytes = 0, digest = 0;  // position, size and XXH3-64 of the record
  uint64_t name = 0;  // start of the picture's name within all names; it ends where the next one starts
  uint32_t label = 0, width = 0, height = 0;
  uint32_t padding = 0;
};

struct PackFooter {
  uint64_t index = 0, index_bytes = 0;  // position and size of the index
  Digest index_digest;                  // XXH3-128 of the index
  uint64_t file_bytes = 0;              // size of the pack
  uint64_t digest = 0;                  // XXH3-64 of the footer's fields above
};

// An open pack. Its footer and index have been checked, its records not yet.
class PackFile {
 public:
  // Opens a pack. Throws std::invalid_argument naming the file if it is no pack, or was cut off or changed.
  explicit PackFile(const std::filesystem::path& path);

  const std::string& path() const { return path_; }
  const PackIndexHeader& header() const { return header_; }
  const std::vector<std::string>& class_names() const { return class_names_; }
  int64_t images_of(Split split) const {
    return static_cast<int64_t>(header_.images[split == Split::train ? 0 : 1]);
  }
  int64_t images() const { return static_cast<int64_t>(header_.images[0] + header_.images[1]); }
  int64_t bytes() const { return file_.size(); }
  PackEntry entry(int64_t index) const;
  std::string name(int64_t index) const;

  // Returns a picture. Checks its digest the first time, and throws std::invalid_argument if it was changed.
  PictureRecord record(int64_t index) const;

 private:
  void read_index(const PackFooter& footer);
  void check_entries() const;

  std::string path_;
  MappedFile file_;
  PackFooter footer_;
  PackIndexHeader header_;
  std::vector<std::string> class_names_;
  const uint8_t* entries_ = nullptr;
  const char* names_ = nullptr;
  mutable std::unique_ptr<std::atomic<bool>[]> checked_;
};

// Returns true if the file begins like a pack.
bool is_image_pack(const std::filesystem::path& path);
// Opens one split of a pack. Throws std::invalid_argument if the pack has no pictures of that split.
std::shared_ptr<const PictureSource> open_image_pack(const std::filesystem::path& path, Split split);

}  // namespace crescendo
