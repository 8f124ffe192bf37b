#include "trainer/step/sum_buckets.h"

#include <algorithm>

namespace crescendo {

SumBuckets::SumBuckets(const ParameterStore& parameters, int64_t total, int64_t size) {
  std::vector<const Parameter*> ordered;
  for (const auto& parameter : parameters.parameters())
    if (parameter->offset < parameters.norm_begin()) ordered.push_back(parameter.get());
  std::sort(ordered.begin(), ordered.end(),
            [](const Parameter* a, const Parameter* b) { return a->offset > b->offset; });
  Bucket bucket{.begin = parameters.norm_begin(), .end = parameters.norm_begin()};
  for (const Parameter* parameter : ordered) {
    bucket.begin = parameter->offset;
    bucket.elements += parameter->shape.elements();
    if (bucket.end - bucket.begin < size && bucket.begin > 0) continue;
    buckets_.push_back(bucket);
    bucket = {.begin = bucket.begin, .end = bucket.begin};
  }
  buckets_.push_back({.begin = parameters.norm_begin(), .end = total});
}

void SumBuckets::restart() {
  for (Bucket& bucket : buckets_) bucket.complete = 0;
  added_ = sent_ = 0;
}

void SumBuckets::complete(int64_t offset, int64_t count, const Use& add) {
  const auto holds = [&](const Bucket& bucket) { return bucket.begin <= offset && offset < bucket.end; };
  std::find_if(buckets_.begin(), buckets_.end(), holds)->complete += count;
  const auto is_complete = [](const Bucket& bucket) { return bucket.complete >= bucket.elements; };
  for (; added_ + 1 < buckets_.size() && is_complete(buckets_[added_]); ++added_) add(buckets_[added_]);
}

void SumBuckets::send_rest(const Use& send) {
  while (sent_ < buckets_.size()) send_next(send);
}

}  // namespace crescendo
