// Reads and checks the official binary files of CIFAR-10 and CIFAR-100 (Krizhevsky 2009). A record is one
// label byte (CIFAR-100: two), then 1024 red, 1024 green and 1024 blue bytes, each plane row by row.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/cifar_format.h"

namespace crescendo {

struct CifarFileReport {
  std::string name;
  int64_t bytes = -1;                 // size of the file; -1 if it does not exist
  std::vector<int64_t> class_counts;  // images of each class; empty if a record could not be read
};

struct CifarReport {
  std::filesystem::path folder;
  std::vector<CifarFileReport> files;
  std::vector<std::string> problems;  // one line each
};

// Checks the files against what is known of the official ones: names, sizes, valid labels, equally many
// images of each class, no two files alike. Throws std::invalid_argument only if there are no CIFAR files.
CifarReport verify_cifar(const CifarFormat&, const std::filesystem::path& directory);

// Returns one split, after checking its files as verify_cifar does. Throws std::invalid_argument with the
// first problem. The images are mapped from the files, which must not change while the data set exists.
std::shared_ptr<const Dataset> read_cifar(const CifarFormat&, const DatasetOptions&, Split);

}  // namespace crescendo
