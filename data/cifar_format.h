// The layout of the official CIFAR files: their names, sizes, classes and download address.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"

namespace crescendo {

// The files of one split. Each has `records` records.
struct CifarFiles {
  std::vector<std::string> names;
  int64_t records = 0;
  int64_t images() const { return static_cast<int64_t>(names.size()) * records; }
};

struct CifarFormat {
  std::string kind, title;   // "cifar10", "CIFAR-10"
  std::string folder;        // the folder that the archive unpacks to
  std::string archive, md5;  // file name and checksum of the official download
  std::string class_file;    // class names, one per line; optional, `class_names` is the default
  std::vector<std::string> class_names;
  int64_t coarse_classes = 0;  // if not 0, a coarse label precedes the label in each record
  CifarFiles train, test;
  Normalisation normalisation;

  int64_t classes() const { return static_cast<int64_t>(class_names.size()); }
  int64_t label_bytes() const { return coarse_classes > 0 ? 2 : 1; }
  int64_t record_bytes() const { return label_bytes() + 3072; }
  const CifarFiles& files(Split split) const { return split == Split::train ? train : test; }
  std::string address() const { return "https://www.cs.toronto.edu/~kriz/" + archive; }
};

// CIFAR-10 and CIFAR-100.
const std::vector<CifarFormat>& cifar_formats();
// Returns the format of that kind. Throws std::invalid_argument naming the known kinds.
const CifarFormat& cifar_format(const std::string& kind);

// Returns the folder that has the files: `directory` or its official subfolder; empty if neither has them.
std::filesystem::path seek_cifar(const CifarFormat&, const std::filesystem::path& directory);
// Returns the same folder, but throws std::invalid_argument if there is none. The message says what is there
// instead: nothing, an archive that is not unpacked, the other CIFAR, or its Python version.
std::filesystem::path find_cifar(const CifarFormat&, const std::filesystem::path& directory);

}  // namespace crescendo
