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
  // Notes that the gradient in [offset, offset + count) is complete, and calls add(bucket) for each bucket that
  // is then complete, but the last. Buckets come in order, so that all workers agree on it.
  using Use = std::function<void(const Bucket&)>;
  void complete(int64_t offset, int64_t count, const Use& add);
  // The buckets that complete() has not added.
  std::span<const Bucket> rest() const { return std::span(buckets_).subspan(added_); }
  // Calls send(bucket) for the next bucket, or for all that are left.
  void send_next(const Use& send) { send(buckets_[sent_++]); }
  void send_rest(const Use& send);

 private:
  std::vector<Bucket> buckets_;
  size_t added_ = 0, sent_ = 0;  // numbers of buckets
};

}  // namespace crescendo
