// Writes packs (data/image_pack.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/image_pack.h"

namespace crescendo {

struct PackOptions {
  PackContent content = PackContent::files;
  int64_t short_side = 0;  // jpeg and raw: larger pictures are reduced to this short side
  int quality = 95;        // jpeg: quality, 0 to 100
  bool skip_bad = false;   // leave out pictures that cannot be decoded; otherwise the first is an error
};

struct PackReport {
  int64_t images[2] = {0, 0};         // in train, in val
  int64_t bytes = 0;                  // size of the pack
  std::vector<std::string> left_out;  // one line per picture: its path and its problem
};

using WriteBytes = std::function<void(const void*, size_t)>;
using Packed = std::function<void(int64_t done, int64_t total)>;

// Writes a pack of the sources train and val, one of which may be null, through `write`. Calls `packed` to
// report progress. Every picture is decoded, which checks it, even if its file is stored unchanged. The bytes
// of the pack do not depend on the number of threads. Throws std::invalid_argument naming the picture.
PackReport write_pack(const PictureSource* train, const PictureSource* val, const PackOptions& options,
                      const WriteBytes& write, const Packed& packed);

}  // namespace crescendo
