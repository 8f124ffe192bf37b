#include <doctest/doctest.h>

#include <atomic>
#include <vector>

#include "base/parallel_ranges.h"

namespace crescendo {

TEST_CASE("parallel_ranges visits every index once") {
  for (const int64_t count : {0, 1, 2, 3, 15, 16, 17, 1000}) {
    std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
    parallel_ranges(count, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
    });
    for (const auto& visit : visits) CHECK(visit == 1);
  }
}

}  // namespace crescendo
