// The pieces in which workers exchange the sums of an update. Backward passes complete the gradients roughly
// from the last layer to the first, and the parameters of norms lie behind all others, so a piece of the last
// layers can travel while the first ones are computed.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "engine/parameters.h"

namespace crescendo {

class SumBuckets {
 public:
  // Sums [begin, end) of an update, in the order of UpdateSums: those of gradients come first.
  struct Bucket {
    int64_t begin = 0, end = 0;
    int64_t elements = 0;  // of gradients, without padding
    int64_t complete = 0;  // of these, in the present update
  };

  // Cuts `total` sums into buckets of whole parameters, in the order of their exchange. A bucket has `size` sums
  // or a little more. The last one holds the parameters of norms and what is behind the gradients.
  SumBuckets(const ParameterStore& parameters, int64_t total, int64_t size);

  // Begins a new update.
  void restart();
  // Notes that the gradient in [offset, offset + count) is complete, and calls send(bucket) for each bucket
  // that is then complete, but the last. Buckets are sent in order, so that all workers agree on it.
  using Send = std::function<void(const Bucket&)>;
  void complete(int64_t offset, int64_t count, const Send& send);
  // Calls send(bucket) for the buckets that were not sent.
  void finish(const Send& send);

  // The buckets that were not sent yet.
  std::span<const Bucket> unsent() const { return std::span(buckets_).subspan(next_); }

 private:
  std::vector<Bucket> buckets_;
  size_t next_ = 0;  // to be sent
};

}  // namespace crescendo
