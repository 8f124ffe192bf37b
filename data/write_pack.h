// Writes packed sets (data/image_pack.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/image_pack.h"

namespace crescendo {

struct PackOptions {
  PackContent content = PackContent::files;
  int64_t short_side = 0;  // of jpeg and raw: larger pictures are reduced to it
  int quality = 95;        // of jpeg
  bool skip_bad = false;   // leave out what cannot be decoded; otherwise the first such picture is an error
};

struct PackReport {
  int64_t images[2] = {0, 0};
  int64_t bytes = 0;
  std::vector<std::string> left_out;  // a line each: name and what is wrong
};

using WriteBytes = std::function<void(const void*, size_t)>;
using Packed = std::function<void(int64_t done, int64_t total)>;

// Writes train and val, either of which may be null, through `write`, and tells of progress. Every picture is
// decoded once, whatever is kept of it; the bytes do not depend on the number of threads. Throws
// std::invalid_argument naming the picture.
PackReport write_pack(const PictureSource* train, const PictureSource* val, const PackOptions& options,
                      const WriteBytes& write, const Packed& packed);

}  // namespace crescendo
