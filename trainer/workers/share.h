// How workers share samples: each takes consecutive chunks, none more than one chunk more than another.
#pragma once

#include <algorithm>

#include "data/loader.h"
#include "kernels/communicator.h"

namespace crescendo {

// Returns the worker's part of samples that are shared in chunks; only the last chunk may be smaller. Parts
// follow each other in order of rank. If there are fewer chunks than workers, some parts are empty.
inline SampleRange share_of(const SampleRange& whole, int64_t chunk, const Communicator& workers) {
  const int64_t chunks = (whole.count + chunk - 1) / chunk;
  const int64_t each = chunks / workers.size(), larger = chunks % workers.size(), rank = workers.rank();
  const int64_t begin = each * rank + std::min(rank, larger);
  const int64_t end = begin + each + (rank < larger ? 1 : 0);
  const auto samples = [&](int64_t n) { return std::min(n * chunk, whole.count); };
  return {whole.first + samples(begin), samples(end) - samples(begin)};
}

}  // namespace crescendo
