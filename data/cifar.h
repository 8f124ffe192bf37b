// Reads and checks CIFAR-10 and CIFAR-100 (Krizhevsky 2009) in their official binary files: records of one or
// two label bytes, then 1024 red, 1024 green and 1024 blue bytes, each plane row by row.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/cifar_format.h"

namespace crescendo {

struct CifarFileReport {
  std::string name;
  int64_t bytes = -1;                 // -1: there is no such file
  std::vector<int64_t> class_counts;  // empty unless every record could be read
};

struct CifarReport {
  std::filesystem::path folder;
  std::vector<CifarFileReport> files;
  std::vector<std::string> problems;  // one line each
};

// Checks everything that holds of the official files: names, sizes, labels, equal class counts, no file
// twice. Throws std::invalid_argument only where there is nothing to check.
CifarReport verify_cifar(const CifarFormat&, const std::filesystem::path& directory);

// A split, after the same checks of its files; throws the first problem as std::invalid_argument. The images
// stay in the files, which must not change while the set is in use.
std::shared_ptr<const Dataset> read_cifar(const CifarFormat&, const DatasetOptions&, Split);

}  // namespace crescendo
