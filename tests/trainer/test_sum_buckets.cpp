// The pieces in which sums are exchanged: whole parameters, in one order, whatever the order of their gradients.
#include "trainer/step/sum_buckets.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "models/model.h"

namespace crescendo {
namespace {

using Bucket = SumBuckets::Bucket;

std::unique_ptr<Model> model_on_host() {
  auto model = make_model("wrn-10-1");
  model->parameters.allocate(Device::cpu(1));
  return model;
}

// Completes the gradients of these parameters, and returns the first sums of the buckets added by that.
std::vector<int64_t> complete(SumBuckets& buckets,
                              const std::vector<std::shared_ptr<Parameter>>& parameters) {
  std::vector<int64_t> added;
  for (const auto& parameter : parameters)
    buckets.complete(parameter->offset, parameter->shape.elements(),
                     [&](const Bucket& bucket) { added.push_back(bucket.begin); });
  return added;
}

std::vector<int64_t> begins_of(std::span<const Bucket> buckets) {
  std::vector<int64_t> begins;
  for (const Bucket& bucket : buckets) begins.push_back(bucket.begin);
  return begins;
}

}  // namespace

TEST_CASE("buckets cover all sums, from the last parameter to the first, then norms and what is behind") {
  const auto model = model_on_host();
  const ParameterStore& store = model->parameters;
  const int64_t total = store.size() + 100;
  for (const int64_t size : {1, 1000, 20000, 1 << 20}) {
    CAPTURE(size);
    const SumBuckets buckets(store, total, size);
    const std::span<const Bucket> all = buckets.rest();
    int64_t end = store.norm_begin();
    for (const Bucket& bucket : all.first(all.size() - 1)) {
      CHECK(bucket.end == end);
      CHECK(bucket.begin < end);
      CHECK((bucket.end - bucket.begin >= size || bucket.begin == 0));
      end = bucket.begin;
    }
    CHECK(end == 0);
    CHECK(all.back().begin == store.norm_begin());
    CHECK(all.back().end == total);
  }
}

TEST_CASE("buckets are added and sent in their order, in every update") {
  const auto model = model_on_host();
  const ParameterStore& store = model->parameters;
  SumBuckets buckets(store, store.size() + 8, 4000);
  const std::vector<int64_t> all = begins_of(buckets.rest());
  REQUIRE(all.size() > 4);
  std::vector<std::shared_ptr<Parameter>> parameters = store.parameters();
  std::mt19937 random(3);
  for (int update = 0; update < 20; ++update) {
    std::shuffle(parameters.begin(), parameters.end(), random);
    buckets.restart();
    std::vector<int64_t> added = complete(buckets, {parameters.begin(), parameters.begin() + 5});
    std::vector<int64_t> sent;
    const auto send = [&](const Bucket& bucket) { sent.push_back(bucket.begin); };
    for (size_t i = 0; i < added.size(); ++i) buckets.send_next(send);
    CHECK(sent == added);
    for (const int64_t more : complete(buckets, {parameters.begin() + 5, parameters.end()}))
      added.push_back(more);
    CHECK(added == std::vector(all.begin(), all.end() - 1));  // the last one is more than gradients
    CHECK(begins_of(buckets.rest()) == std::vector{all.back()});
    buckets.send_rest(send);
    CHECK(sent == all);
  }
}

TEST_CASE("a bucket waits for the last of its parameters, and for the buckets before it") {
  const auto model = model_on_host();
  const ParameterStore& store = model->parameters;
  std::vector<std::shared_ptr<Parameter>> weights;
  for (const auto& parameter : store.parameters())
    if (parameter->offset < store.norm_begin()) weights.push_back(parameter);
  std::sort(weights.begin(), weights.end(),
            [](const auto& a, const auto& b) { return a->offset > b->offset; });
  SumBuckets buckets(store, store.size(), 1);  // one parameter each
  const std::vector<int64_t> all = begins_of(buckets.rest());
  REQUIRE(all.size() == weights.size() + 1);
  CHECK(complete(buckets, {weights.begin() + 1, weights.end()}).empty());
  CHECK(begins_of(buckets.rest()) == all);
  CHECK(complete(buckets, {weights[0]}) == std::vector(all.begin(), all.end() - 1));
}

}  // namespace crescendo
