#include "data/sampler.h"

#include <cstddef>

#include "base/rng.h"

namespace crescendo {

EpochImage Sampler::at(int64_t position) {
  const int64_t epoch = position / size_, within = position % size_;
  return {epoch, shuffle_ ? permutation(epoch)[static_cast<size_t>(within)] : within};
}

const std::vector<int64_t>& Sampler::permutation(int64_t epoch) {
  Order& order = orders_[static_cast<size_t>(epoch % 2)];
  if (order.epoch != epoch) order = {epoch, random_permutation(size_, seed_, static_cast<uint64_t>(epoch))};
  return order.permutation;
}

}  // namespace crescendo
