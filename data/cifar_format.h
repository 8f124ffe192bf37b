// What the official CIFAR files are called and hold, and where they lie.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/augment.h"
#include "data/dataset.h"

namespace crescendo {

// Files of one split, each of so many records.
struct CifarFiles {
  std::vector<std::string> names;
  int64_t records = 0;
  int64_t images() const { return static_cast<int64_t>(names.size()) * records; }
};

struct CifarFormat {
  std::string kind, title;   // "cifar10", "CIFAR-10"
  std::string folder;        // that the archive unpacks to
  std::string archive, md5;  // the official download
  std::string class_file;    // class names, one a line; the built-in ones serve without it
  std::vector<std::string> class_names;
  int64_t coarse_classes = 0;  // 0: a record begins with its label; else with a coarse label and the label
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
// By kind; throws std::invalid_argument naming the kinds there are.
const CifarFormat& cifar_format(const std::string& kind);

// The folder of the files: `directory` itself or its subfolder of the official name; empty if there is none.
std::filesystem::path seek_cifar(const CifarFormat&, const std::filesystem::path& directory);
// The same; throws std::invalid_argument if there is none, saying what lies there instead: nothing, an
// archive not unpacked, the other CIFAR, the Python version.
std::filesystem::path find_cifar(const CifarFormat&, const std::filesystem::path& directory);

}  // namespace crescendo
