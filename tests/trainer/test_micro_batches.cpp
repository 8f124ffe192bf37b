// The cut of samples into micro-batches: in order, without gap, the last one with what remains.
#include "trainer/step/micro_batches.h"

#include <doctest/doctest.h>

#include <vector>

namespace crescendo {
namespace {

std::vector<std::vector<int64_t>> cut(const SampleRange& samples, int64_t size) {
  std::vector<std::vector<int64_t>> ranges;
  MicroBatches micro_batches(samples, size);
  while (const auto range = micro_batches()) ranges.push_back({range->first, range->count});
  CHECK_FALSE(micro_batches());
  return ranges;
}

using Ranges = std::vector<std::vector<int64_t>>;

}  // namespace

TEST_CASE("micro-batches cover the samples in order; the last one has what remains") {
  CHECK(cut({40, 24}, 8) == Ranges{{40, 8}, {48, 8}, {56, 8}});
  CHECK(cut({40, 20}, 8) == Ranges{{40, 8}, {48, 8}, {56, 4}});
  CHECK(cut({0, 8}, 8) == Ranges{{0, 8}});
  CHECK(cut({7, 3}, 8) == Ranges{{7, 3}});
  CHECK(cut({7, 0}, 8) == Ranges{});
}

}  // namespace crescendo
