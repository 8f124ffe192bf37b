#include "data/image_pack.h"

#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <system_error>

#include "base/check.h"
#include "base/xxh3.h"

namespace crescendo {
namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "packs are read as they lie in memory");
static_assert(sizeof(PackIndexHeader) == 48 && sizeof(PackEntry) == 48 && sizeof(PackFooter) == 48);

namespace {

template <class T>
T read_as(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

uint64_t digest_of(const PackFooter& footer) {
  return xxh3_64(&footer, sizeof footer - sizeof footer.digest);
}

class PackSource final : public PictureSource {
 public:
  PackSource(const fs::path& path, Split split)
      : file_(path),
        first_(split == Split::train ? 0 : file_.images_of(Split::train)),
        size_(file_.images_of(split)) {
    require(size_ > 0, path.string(), ": this pack has no ",
            split == Split::train ? "training" : "validation", " pictures");
  }

  int64_t size() const override { return size_; }
  const std::vector<std::string>& class_names() const override { return file_.class_names(); }
  int32_t label(int64_t index) const override {
    return static_cast<int32_t>(file_.entry(first_ + index).label);
  }
  std::string location() const override { return file_.path(); }
  std::string name(int64_t index) const override { return file_.name(first_ + index); }
  uint64_t fingerprint(int64_t index) const override {
    const PackEntry entry = file_.entry(first_ + index);
    return file_.header().content == PackContent::files ? entry.bytes : entry.digest;
  }
  bool needs_decoder() const override { return file_.header().content != PackContent::raw; }
  PictureRecord read(int64_t index, std::vector<uint8_t>&) const override {
    return file_.record(first_ + index);
  }

 private:
  PackFile file_;
  int64_t first_, size_;
};

MappedFile map(const fs::path& path) {
  try {
    return MappedFile(path);
  } catch (const std::system_error& error) {
    throw std::invalid_argument(join(path.string(), ": ", error.code().message()));
  }
}

}  // namespace

PackFile::PackFile(const fs::path& path) : path_(path.string()), file_(map(path)) {
  constexpr int64_t kLeast =
      kPackMagicBytes + static_cast<int64_t>(sizeof(PackIndexHeader) + sizeof(PackFooter));
  require(file_.size() >= kPackMagicBytes && std::memcmp(file_.data(), kPackMagic, kPackMagicBytes) == 0,
          path_, ": is not a pack of pictures");
  require(file_.size() >= kLeast, path_, ": was cut off at ", file_.size(), " bytes");
  footer_ = read_as<PackFooter>(file_.data() + file_.size() - sizeof(PackFooter));
  require(footer_.digest == digest_of(footer_), path_, ": was cut off or changed: its last ",
          sizeof(PackFooter), " bytes are not a footer");
  const auto index_end = static_cast<uint64_t>(file_.size()) - sizeof(PackFooter);
  const bool fits = footer_.file_bytes == static_cast<uint64_t>(file_.size()) && footer_.index <= index_end &&
                    footer_.index_bytes == index_end - footer_.index &&
                    footer_.index_bytes >= sizeof(PackIndexHeader) && footer_.index >= kPackMagicBytes;
  require(fits, path_, ": has ", file_.size(), " bytes, expected ", footer_.file_bytes);
  read_index(footer_);
  check_entries();
  checked_ = std::make_unique<std::atomic<bool>[]>(static_cast<size_t>(images()));
}

void PackFile::read_index(const PackFooter& footer) {
  const uint8_t* index = file_.data() + footer.index;
  require(xxh3_128(index, footer.index_bytes) == footer.index_digest, path_, ": its index was changed");
  header_ = read_as<PackIndexHeader>(index);
  const uint64_t most = footer.index_bytes;  // no count may be larger, so that sums and products fit 64 bits
  const auto& [content, short_side, counts, classes, class_bytes, name_bytes] = header_;
  const bool small = counts[0] <= most && counts[1] <= most && class_bytes <= most && name_bytes <= most;
  require(
      small && content <= PackContent::raw && most < uint64_t{1} << 50 &&
          sizeof(PackIndexHeader) + (counts[0] + counts[1]) * sizeof(PackEntry) + class_bytes + name_bytes ==
              footer.index_bytes,
      path_, ": its index is inconsistent");
  entries_ = index + sizeof(PackIndexHeader);
  const auto* texts = reinterpret_cast<const char*>(entries_ + (counts[0] + counts[1]) * sizeof(PackEntry));
  names_ = texts + class_bytes;
  for (const char* end = texts; texts < names_; texts = end + 1) {
    end = static_cast<const char*>(std::memchr(texts, '\n', static_cast<size_t>(names_ - texts)));
    require(end != nullptr, path_, ": its index is inconsistent");
    class_names_.emplace_back(texts, end);
  }
  require(class_names_.size() == classes, path_, ": its index is inconsistent");
}

// Checks that the records follow one another and fill the file up to the index.
void PackFile::check_entries() const {
  uint64_t offset = kPackMagicBytes, name = 0;
  bool sensible = true;
  for (int64_t i = 0; i < images() && sensible; ++i) {
    const PackEntry e = entry(i);
    const bool pixels = header_.content != PackContent::raw || e.bytes == uint64_t{3} * e.width * e.height;
    sensible = e.offset == offset && e.bytes > 0 && e.bytes <= footer_.index - offset && e.name >= name &&
               e.name <= header_.name_bytes && e.label < header_.classes && e.width > 0 && e.height > 0 &&
               uint64_t{e.width} * e.height <= uint64_t{kMostPixels} && pixels;
    offset += e.bytes;
    name = e.name;
  }
  require(sensible && offset == footer_.index, path_, ": its index is inconsistent");
}

PackEntry PackFile::entry(int64_t index) const {
  return read_as<PackEntry>(entries_ + static_cast<size_t>(index) * sizeof(PackEntry));
}

std::string PackFile::name(int64_t index) const {
  const uint64_t end = index + 1 < images() ? entry(index + 1).name : header_.name_bytes;
  const uint64_t begin = entry(index).name;
  return {names_ + begin, names_ + end};
}

PictureRecord PackFile::record(int64_t index) const {
  const PackEntry e = entry(index);
  const uint8_t* bytes = file_.data() + e.offset;
  std::atomic<bool>& checked = checked_[static_cast<size_t>(index)];
  if (!checked.load(std::memory_order_relaxed)) {
    require(xxh3_64(bytes, e.bytes) == e.digest, "was changed since it was packed");
    checked.store(true, std::memory_order_relaxed);
  }
  return {.bytes = {bytes, e.bytes},
          .raw = header_.content == PackContent::raw,
          .width = e.width,
          .height = e.height};
}

bool is_image_pack(const fs::path& path) {
  std::array<char, kPackMagicBytes> magic{};
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;
  std::ifstream(path, std::ios::binary).read(magic.data(), magic.size());
  return std::memcmp(magic.data(), kPackMagic, magic.size()) == 0;
}

std::shared_ptr<const PictureSource> open_image_pack(const fs::path& path, Split split) {
  return std::make_shared<const PackSource>(path, split);
}

}  // namespace crescendo
