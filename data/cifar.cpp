#include "data/cifar.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <system_error>

#include "base/check.h"
#include "data/byte_images.h"
#include "data/mapped_file.h"

namespace crescendo {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kSide = 32;

// The first `wanted` images that are read. Further images are checked, but not kept.
struct Collected {
  size_t wanted = 0;
  std::vector<std::shared_ptr<const MappedFile>> files;
  std::vector<const uint8_t*> images;  // point into the mapped files
  std::vector<int32_t> labels;
};

class CifarReader {
 public:
  CifarReader(const CifarFormat& format, fs::path folder)
      : format_(format), coarse_of_(static_cast<size_t>(format.classes()), -1) {
    report_.folder = std::move(folder);
  }

  void read_split(Split split, Collected& collected);
  void find_twins();
  CifarReport& report() { return report_; }

 private:
  template <class... Parts>
  void problem(const Parts&... parts) {
    report_.problems.push_back(join(format_.kind, ": ", parts...));
  }
  std::string path(const std::string& name) const { return (report_.folder / name).string(); }
  bool check_size(CifarFileReport& file, int64_t records);
  std::string look_alike(const std::string& name, int64_t bytes) const;
  void read_file(CifarFileReport& file, int64_t records, Collected& collected);
  bool check_labels(const CifarFileReport& file, int64_t record, const uint8_t* labels);
  void check_balance(Split split, size_t first_file);

  const CifarFormat& format_;
  std::vector<int> coarse_of_;  // coarse label of each label; -1 if the label has not been seen yet
  CifarReport report_;
};

void CifarReader::read_split(Split split, Collected& collected) {
  const CifarFiles& files = format_.files(split);
  const size_t first_file = report_.files.size();
  for (const std::string& name : files.names) {
    CifarFileReport& file = report_.files.emplace_back(CifarFileReport{.name = name, .class_counts = {}});
    if (check_size(file, files.records)) read_file(file, files.records, collected);
  }
  check_balance(split, first_file);
}

bool CifarReader::check_size(CifarFileReport& file, int64_t records) {
  std::error_code error;
  const fs::path where = report_.folder / file.name;
  if (!fs::exists(where, error)) {
    const bool compressed = fs::exists(fs::path(where) += ".gz", error);
    problem(where.string(), " is missing",
            compressed ? join(", but ", file.name, ".gz is there: gunzip it") : "");
    return false;
  }
  if (!fs::is_regular_file(where, error)) {
    problem(where.string(), " is not a file");
    return false;
  }
  file.bytes = static_cast<int64_t>(fs::file_size(where));
  const int64_t expected = records * format_.record_bytes();
  if (file.bytes != expected)
    problem(where.string(), " is ", file.bytes < expected ? "short: " : "too long: ", file.bytes,
            " bytes, expected ", expected, " (", records, " records of ", format_.record_bytes(), " bytes)",
            look_alike(file.name, file.bytes));
  return file.bytes == expected;
}

// Guesses what a file of the wrong size is: compressed, or a file of the other CIFAR.
std::string CifarReader::look_alike(const std::string& name, int64_t bytes) const {
  std::array<char, 2> magic{};
  std::ifstream(path(name), std::ios::binary).read(magic.data(), magic.size());
  if (magic[0] == '\x1f' && magic[1] == '\x8b') return "; it is still compressed with gzip";
  for (const CifarFormat& other : cifar_formats())
    for (const CifarFiles* files : {&other.train, &other.test})
      if (bytes == files->records * other.record_bytes())
        return join("; that is the size of ", other.title, "'s ", files->names.front());
  return "";
}

void CifarReader::read_file(CifarFileReport& file, int64_t records, Collected& collected) {
  std::shared_ptr<const MappedFile> mapped;
  try {
    mapped = std::make_shared<const MappedFile>(report_.folder / file.name);
  } catch (const std::system_error& error) {
    problem(path(file.name), ": ", error.code().message());
    return;
  }
  if (mapped->size() != file.bytes) {
    problem(path(file.name), " changes while it is read");
    return;
  }
  std::vector<int64_t> counts(static_cast<size_t>(format_.classes()));
  for (int64_t i = 0; i < records; ++i) {
    const uint8_t* record = mapped->data() + i * format_.record_bytes();
    if (!check_labels(file, i, record)) return;
    const uint8_t label = record[format_.label_bytes() - 1];
    ++counts[label];
    if (collected.images.size() == collected.wanted) continue;
    collected.images.push_back(record + format_.label_bytes());
    collected.labels.push_back(label);
  }
  file.class_counts = std::move(counts);
  collected.files.push_back(std::move(mapped));
}

bool CifarReader::check_labels(const CifarFileReport& file, int64_t record, const uint8_t* labels) {
  const int label = labels[format_.label_bytes() - 1];
  const bool coarse = format_.coarse_classes > 0;
  if (coarse && labels[0] >= format_.coarse_classes) {
    problem(path(file.name), ": record ", record, " has coarse label ", int{labels[0]}, ", expected 0 to ",
            format_.coarse_classes - 1);
    return false;
  }
  if (label >= format_.classes()) {
    problem(path(file.name), ": record ", record, " has label ", label, ", expected 0 to ",
            format_.classes() - 1);
    return false;
  }
  int& known = coarse_of_[static_cast<size_t>(label)];
  if (coarse && known >= 0 && known != labels[0]) {
    problem(path(file.name), ": record ", record, " has label ", label, " with coarse label ", int{labels[0]},
            ", but earlier records have it with ", known);
    return false;
  }
  known = labels[0];
  return true;
}

// Checks that a split has equally many images of each class, as the official ones do (though most of their
// files do not). This finds files that were swapped or mislabelled.
void CifarReader::check_balance(Split split, size_t first_file) {
  std::vector<int64_t> counts(static_cast<size_t>(format_.classes()));
  for (size_t i = first_file; i < report_.files.size(); ++i) {
    if (report_.files[i].class_counts.empty()) return;  // already reported as a problem
    for (size_t label = 0; label < counts.size(); ++label)
      counts[label] += report_.files[i].class_counts[label];
  }
  const CifarFiles& files = format_.files(split);
  const int64_t expected = files.images() / format_.classes();
  const auto off = [&](int64_t count) { return count != expected; };
  const auto worst = std::find_if(counts.begin(), counts.end(), off);
  if (worst == counts.end()) return;
  const auto label = worst - counts.begin();
  problem(path(files.names.front()), files.names.size() > 1 ? join(" to ", files.names.back()) : "", ": ",
          *worst, " images of class ", label, " (", format_.class_names[static_cast<size_t>(label)],
          "), expected ", expected, " of each; ", std::count_if(counts.begin(), counts.end(), off), " of ",
          format_.classes(), " classes are off: are files swapped or mislabelled?");
}

bool same_contents(const fs::path& a, const fs::path& b) {
  std::ifstream first(a, std::ios::binary), second(b, std::ios::binary);
  std::vector<char> one(1 << 16), two(1 << 16);
  while (first && second) {
    first.read(one.data(), static_cast<std::streamsize>(one.size()));
    second.read(two.data(), static_cast<std::streamsize>(two.size()));
    if (first.gcount() != second.gcount() ||
        !std::equal(one.begin(), one.begin() + first.gcount(), two.begin()))
      return false;
  }
  return first.eof() && second.eof();
}

// Looks for two files with the same contents, over both splits: a training file must not be the test file.
void CifarReader::find_twins() {
  std::vector<std::string> names;
  for (const CifarFiles* files : {&format_.train, &format_.test})
    for (const std::string& name : files->names)
      if (fs::is_regular_file(report_.folder / name)) names.push_back(name);
  for (size_t j = 1; j < names.size(); ++j)
    for (size_t i = 0; i < j; ++i)
      if (same_contents(report_.folder / names[i], report_.folder / names[j])) {
        problem(path(names[j]), " is a copy of ", names[i]);
        break;
      }
}

std::vector<std::string> class_names(const CifarFormat& format, const fs::path& folder) {
  std::ifstream in(folder / format.class_file);
  if (!in) return format.class_names;
  std::vector<std::string> names;
  for (std::string line; std::getline(in, line);) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  require(names.size() == format.class_names.size(), format.kind, ": ", (folder / format.class_file).string(),
          " has ", names.size(), " class names, expected ", format.classes());
  return names;
}

}  // namespace

CifarReport verify_cifar(const CifarFormat& format, const fs::path& directory) {
  CifarReader reader(format, find_cifar(format, directory));
  Collected nothing;
  reader.find_twins();
  reader.read_split(Split::train, nothing);
  reader.read_split(Split::test, nothing);
  try {
    class_names(format, reader.report().folder);
  } catch (const std::invalid_argument& error) {
    reader.report().problems.emplace_back(error.what());
  }
  return std::move(reader.report());
}

std::shared_ptr<const Dataset> read_cifar(const CifarFormat& format, const DatasetOptions& options,
                                          Split split) {
  const fs::path folder = find_cifar(format, options.directory);
  const bool train = split == Split::train;
  const int64_t available = format.files(split).images();
  const int64_t wanted = train && options.train_images > 0 ? options.train_images : available;
  require(wanted <= available, format.kind, ": ", wanted, " training images asked for, there are ",
          available);
  CifarReader reader(format, folder);
  Collected collected{.wanted = static_cast<size_t>(wanted), .files = {}, .images = {}, .labels = {}};
  reader.find_twins();  // first, since copies also make the classes unequal, which says less
  reader.read_split(split, collected);
  const std::vector<std::string>& problems = reader.report().problems;
  require(problems.empty(), problems.empty() ? "" : problems.front());
  using Files = std::vector<std::shared_ptr<const MappedFile>>;
  return std::make_shared<ByteImages>(
      ByteImageSet{.image_size = {kSide, kSide, 3},
                   .images = std::move(collected.images),
                   .planar = true,
                   .memory = std::make_shared<const Files>(std::move(collected.files)),
                   .labels = std::move(collected.labels),
                   .class_names = class_names(format, folder),
                   .normalisation = format.normalisation,
                   .augment = options.augments(split)});
}

}  // namespace crescendo
