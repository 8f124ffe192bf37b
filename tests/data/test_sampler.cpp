#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "data/sampler.h"

namespace crescendo {
namespace {

std::vector<int64_t> epoch_order(Sampler& sampler, int64_t size, int64_t epoch) {
  std::vector<int64_t> order;
  for (int64_t p = epoch * size; p < (epoch + 1) * size; ++p) {
    const EpochImage image = sampler.at(p);
    CHECK(image.epoch == epoch);
    order.push_back(image.index);
  }
  return order;
}

}  // namespace

TEST_CASE("each epoch is a permutation of its own") {
  for (const int64_t size : {1, 2, 31, 1000}) {
    Sampler sampler(size, true, 7);
    std::vector<int64_t> every(static_cast<size_t>(size)), last;
    std::iota(every.begin(), every.end(), 0);
    for (int64_t epoch = 0; epoch < 4; ++epoch) {
      std::vector<int64_t> order = epoch_order(sampler, size, epoch);
      if (size > 2) CHECK(order != last);
      last = order;
      std::sort(order.begin(), order.end());
      CHECK(order == every);
    }
  }
}

TEST_CASE("the order is a pure function of seed and position, whatever was asked before") {
  constexpr int64_t kSize = 50;
  Sampler forwards(kSize, true, 1), jumping(kSize, true, 1), other(kSize, true, 2);
  std::vector<EpochImage> images;
  for (int64_t p = 0; p < 6 * kSize; ++p) images.push_back(forwards.at(p));
  for (int64_t i = 0, p = 3; i < 1000; ++i, p = (p * 173 + 41) % (6 * kSize))
    CHECK(jumping.at(p) == images[static_cast<size_t>(p)]);
  CHECK(epoch_order(other, kSize, 0) != epoch_order(jumping, kSize, 0));
}

TEST_CASE("without shuffle every epoch is in file order") {
  Sampler sampler(10, false, 1);
  CHECK(sampler.at(0) == EpochImage{0, 0});
  CHECK(sampler.at(9) == EpochImage{0, 9});
  CHECK(sampler.at(10) == EpochImage{1, 0});
  CHECK(sampler.at(int64_t{10} << 40) == EpochImage{int64_t{1} << 40, 0});
}

}  // namespace crescendo
