// The one cut of samples into micro-batches, for training, evaluation and memory.
#pragma once

#include <algorithm>
#include <optional>

#include "data/loader.h"

namespace crescendo {

// The micro-batches of `samples`, in order: `size` samples each, the last one what remains.
class MicroBatches {
 public:
  MicroBatches(const SampleRange& samples, int64_t size) : rest_(samples), size_(size) {}

  // Returns the next micro-batch; none after the last.
  std::optional<SampleRange> operator()() {
    if (rest_.count == 0) return std::nullopt;
    const SampleRange next{rest_.first, std::min(size_, rest_.count)};
    rest_ = {rest_.first + next.count, rest_.count - next.count};
    return next;
  }

 private:
  SampleRange rest_;
  int64_t size_;
};

}  // namespace crescendo
