// A packed set: the pictures of both splits in one file, mapped into memory. Records one after another
// without a gap; the index; a footer. Every byte is covered by a digest. Numbers are little-endian.
//
//   offset 0     16 bytes   kPackMagic
//   16           records    files as they were, JPEG, or pixels [height, width, 3] in red, green, blue
//   footer.index index      PackIndexHeader, PackEntry of each picture, those of train first, the names of
//   the
//                           classes each with a line break, the names of the pictures one after another
//   size - 48    footer     PackFooter
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

enum class PackContent : uint32_t { files, jpeg, raw };

inline constexpr char kPackMagic[17] = "crescendo-pack-1";
inline constexpr int64_t kPackMagicBytes = 16;

struct PackIndexHeader {
  PackContent content = PackContent::files;
  uint32_t short_side = 0;                   // that larger pictures were reduced to; 0: none was
  uint64_t images[2] = {}, classes = 0;      // of train, of val
  uint64_t class_bytes = 0, name_bytes = 0;  // of all names
};

struct PackEntry {
  uint64_t offset = 0, bytes = 0, digest = 0;  // of the record; XXH3-64
  uint64_t name = 0;                           // where its name begins, ending where the next begins
  uint32_t label = 0, width = 0, height = 0;
  uint32_t padding = 0;
};

struct PackFooter {
  uint64_t index = 0, index_bytes = 0;  // where it is
  Digest index_digest;                  // XXH3-128
  uint64_t file_bytes = 0;
  uint64_t digest = 0;  // of the footer up to here, XXH3-64
};

// An open pack, whose footer and index have been checked.
class PackFile {
 public:
  // Throws std::invalid_argument naming the file if it is no pack, or was cut off or changed.
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
  std::string digest() const;  // of the index, and so of everything

  // Checks the record's digest the first time it is read. Throws std::invalid_argument.
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

bool is_image_pack(const std::filesystem::path& path);
// A split of it; throws std::invalid_argument also if the pack has no pictures of that split.
std::shared_ptr<const PictureSource> open_image_pack(const std::filesystem::path& path, Split split);

}  // namespace crescendo
