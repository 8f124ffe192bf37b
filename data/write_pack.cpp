#include "data/write_pack.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "base/parallel_ranges.h"
#include "base/xxh3.h"

namespace crescendo {
namespace {

constexpr int64_t kAtOnce = 256;  // pictures that are prepared in parallel and held in memory

// One picture, ready to be written, or the problem with it.
struct Ready {
  std::vector<uint8_t> bytes;
  int64_t width = 0, height = 0;
  std::string problem;
};

std::vector<uint8_t> reduced(const PictureView& picture, int64_t width, int64_t height) {
  ResampleOptions options;
  options.box = {0, 0, static_cast<double>(picture.width), static_cast<double>(picture.height)};
  options.bounds = {0, 0, picture.width, picture.height};
  options.size = {height, width, 3};
  options.normalisation = {{0, 0, 0}, {1, 1, 1}};
  std::vector<float> values(static_cast<size_t>(options.size.elements()));
  resample(picture, options, values.data());
  std::vector<uint8_t> bytes;
  bytes.reserve(values.size());
  for (const float value : values)
    bytes.push_back(static_cast<uint8_t>(std::clamp(std::nearbyint(value), 0.0F, 255.0F)));
  return bytes;
}

// Returns true if the file is stored unchanged: always for `files`, and for `jpeg` if it is a JPEG of grey or
// colour that is upright and small enough.
bool keeps_file(const PictureRecord& record, const PackOptions& options) {
  if (options.content == PackContent::files) return true;
  if (options.content == PackContent::raw) return false;
  const PictureHeader header = read_picture_header(record.bytes);
  return can_be_reduced(header) && header.orientation == 1 &&
         std::min(header.width, header.height) <= options.short_side;
}

Ready make_ready(const PictureRecord& record, const PackOptions& options) {
  const DecodedPicture picture = decode_record(record, true);
  Ready ready{.bytes = {}, .width = picture.region.width, .height = picture.region.height, .problem = {}};
  if (keeps_file(record, options)) {
    ready.bytes.assign(record.bytes.begin(), record.bytes.end());
    return ready;
  }
  const int64_t least = std::min(ready.width, ready.height);
  if (least > options.short_side) {
    ready.width = std::max<int64_t>(ready.width * options.short_side / least, 1);
    ready.height = std::max<int64_t>(ready.height * options.short_side / least, 1);
  }
  ready.bytes = reduced(picture.view(), ready.width, ready.height);
  if (options.content == PackContent::jpeg)
    ready.bytes = encode_jpeg({ready.bytes.data(), ready.width, ready.height}, options.quality);
  return ready;
}

class PackWriter {
 public:
  PackWriter(const PackOptions& options, const WriteBytes& write, const Packed& packed)
      : options_(options), write_(write), packed_(packed) {
    index_.content = options.content;
    index_.short_side = static_cast<uint32_t>(options.short_side);
    put(kPackMagic, kPackMagicBytes);
  }

  void add_split(const PictureSource& source, size_t split);
  void set_classes(const std::vector<std::string>& names);
  void finish();
  PackReport& report() { return report_; }
  int64_t total = 0;

 private:
  void put(const void* data, size_t bytes) {
    write_(data, bytes);
    report_.bytes += static_cast<int64_t>(bytes);
  }
  void add(const PictureSource& source, int64_t picture, size_t split, const Ready& ready);

  PackOptions options_;
  const WriteBytes& write_;
  const Packed& packed_;
  PackIndexHeader index_;
  std::vector<PackEntry> entries_;
  std::string classes_, names_;
  PackReport report_;
  int64_t done_ = 0;
};

void PackWriter::set_classes(const std::vector<std::string>& names) {
  index_.classes = names.size();
  for (const std::string& name : names) {
    require(name.find('\n') == std::string::npos, "data pack: the name of a class has a line break");
    classes_ += name + "\n";
  }
}

void PackWriter::add_split(const PictureSource& source, size_t split) {
  for (int64_t first = 0; first < source.size(); first += kAtOnce) {
    const int64_t count = std::min(kAtOnce, source.size() - first);
    std::vector<Ready> ready(static_cast<size_t>(count));
    parallel_ranges(count, [&](int64_t begin, int64_t end) {
      std::vector<uint8_t> buffer;
      for (int64_t i = begin; i < end; ++i) {
        Ready& one = ready[static_cast<size_t>(i)];
        try {
          one = make_ready(source.read(first + i, buffer), options_);
        } catch (const std::invalid_argument& error) {
          one.problem = error.what();
        }
      }
    });
    for (int64_t i = 0; i < count; ++i) add(source, first + i, split, ready[static_cast<size_t>(i)]);
    done_ += count;
    packed_(done_, total);
  }
}

void PackWriter::add(const PictureSource& source, int64_t picture, size_t split, const Ready& ready) {
  if (!ready.problem.empty()) {
    require(options_.skip_bad, source.path(picture), " ", ready.problem,
            " (--bad-images skip leaves such pictures out)");
    report_.left_out.push_back(source.path(picture) + " " + ready.problem);
    return;
  }
  entries_.push_back({.offset = static_cast<uint64_t>(report_.bytes),
                      .bytes = ready.bytes.size(),
                      .digest = xxh3_64(ready.bytes.data(), ready.bytes.size()),
                      .name = names_.size(),
                      .label = static_cast<uint32_t>(source.label(picture)),
                      .width = static_cast<uint32_t>(ready.width),
                      .height = static_cast<uint32_t>(ready.height)});
  names_ += source.name(picture);
  ++index_.images[split];
  ++report_.images[split];
  put(ready.bytes.data(), ready.bytes.size());
}

void PackWriter::finish() {
  index_.class_bytes = classes_.size();
  index_.name_bytes = names_.size();
  std::string index(reinterpret_cast<const char*>(&index_), sizeof index_);
  index.append(reinterpret_cast<const char*>(entries_.data()), entries_.size() * sizeof(PackEntry));
  index += classes_ + names_;
  PackFooter footer{.index = static_cast<uint64_t>(report_.bytes),
                    .index_bytes = index.size(),
                    .index_digest = xxh3_128(index.data(), index.size())};
  footer.file_bytes = footer.index + footer.index_bytes + sizeof footer;
  footer.digest = xxh3_64(&footer, sizeof footer - sizeof footer.digest);
  put(index.data(), index.size());
  put(&footer, sizeof footer);
}

}  // namespace

PackReport write_pack(const PictureSource* train, const PictureSource* val, const PackOptions& options,
                      const WriteBytes& write, const Packed& packed) {
  require_decoder();
  const std::array<const PictureSource*, 2> splits{train, val};
  PackWriter writer(options, write, packed);
  for (const PictureSource* source : splits)
    if (source != nullptr) writer.total += source->size();
  for (size_t i = 0; i < splits.size(); ++i) {
    if (splits[i] == nullptr) continue;
    if (i == 0 || train == nullptr) writer.set_classes(splits[i]->class_names());
    writer.add_split(*splits[i], i);
  }
  writer.finish();
  return writer.report();
}

}  // namespace crescendo
