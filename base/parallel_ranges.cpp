#include "base/parallel_ranges.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "base/cores.h"

namespace crescendo {

void parallel_ranges(int64_t count, const std::function<void(int64_t, int64_t)>& f) {
  const int64_t cores = std::min(allowed_cores(), 16);
  const int64_t ranges = std::min(cores, count);
  std::vector<std::jthread> helpers;
  for (int64_t i = 1; i < ranges; ++i) helpers.emplace_back(f, count * i / ranges, count * (i + 1) / ranges);
  if (count > 0) f(0, count / ranges);
}

}  // namespace crescendo
