// Counter-based random numbers: known answers, ranges, and independence of different purposes.
#include "base/rng.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace crescendo::test {
namespace {

std::vector<uint32_t> words_of(const PhiloxWords& words) {
  return {words.word[0], words.word[1], words.word[2], words.word[3]};
}

}  // namespace

TEST_CASE("philox: known answers of Random123") {
  CHECK(words_of(philox4x32({{0, 0, 0, 0}}, 0)) ==
        std::vector<uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(words_of(philox4x32({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffffffffffff)) ==
        std::vector<uint32_t>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(words_of(philox4x32({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0x299f31d0a4093822)) ==
        std::vector<uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("philox: uniform numbers lie in [0, 1)") {
  CHECK(philox_uniform(0) == 0);
  CHECK(philox_uniform(0xffffffff) < 1);
  CHECK(philox_uniform(0x80000000) == 0.5F);
}

TEST_CASE("random_key: differs between seeds and purposes") {
  std::set<uint64_t> keys;
  for (uint64_t seed : {0, 1, 2, 3})
    for (const Purpose purpose : {Purpose::initial_values, Purpose::data_order, Purpose::augmentation,
                                  Purpose::dropout, Purpose::drawing})
      keys.insert(random_key(seed, purpose));
  CHECK(keys.size() == 20);
}

TEST_CASE("random_words: every part of the place matters") {
  const uint64_t high = uint64_t{1} << 40;
  std::set<std::vector<uint32_t>> seen;
  for (const uint64_t key : {uint64_t{1}, high})
    for (const uint64_t a : {uint64_t{1}, high})
      for (const uint32_t b : {0U, 1U})
        for (const uint32_t block : {0U, 1U}) seen.insert(words_of(random_words(key, a, b, block)));
  CHECK(seen.size() == 16);
}

TEST_CASE("normal_pair: finite at the ends, of mean 0 and variance 1") {
  for (const uint32_t word : {0U, 0xffffffffU}) {
    CHECK(std::isfinite(normal_pair(word, word).first));
    CHECK(std::isfinite(normal_pair(word, word).second));
  }
  constexpr int kPairs = 20000;
  double sum = 0, squares = 0, products = 0;
  for (uint32_t i = 0; i < kPairs; ++i) {
    const PhiloxWords words = random_words(5, i, 0);
    const NormalPair pair = normal_pair(words.word[0], words.word[1]);
    sum += pair.first + pair.second;
    squares += pair.first * pair.first + pair.second * pair.second;
    products += pair.first * pair.second;
  }
  // Five standard errors of the mean, the mean square and the mean product of unit normals.
  CHECK(std::abs(sum / (2 * kPairs)) < 5 / std::sqrt(2.0 * kPairs));
  CHECK(std::abs(squares / (2 * kPairs) - 1) < 5 * std::sqrt(2 / (2.0 * kPairs)));
  CHECK(std::abs(products / kPairs) < 5 / std::sqrt(1.0 * kPairs));
}

TEST_CASE("random_below: covers [0, bound) and nothing else") {
  CHECK(random_below(0, 0, 10) == 0);
  CHECK(random_below(0xffffffff, 0xffffffff, 10) == 9);
  CHECK(random_below(0x80000000, 0, 10) == 5);
  CHECK(random_below(0xffffffff, 0xffffffff, 1) == 0);
  CHECK(random_below(0xffffffff, 0xffffffff, uint64_t{1} << 63) == (uint64_t{1} << 63) - 1);
}

TEST_CASE("random_permutation: holds every index once, and follows seed and epoch") {
  for (const int64_t n : {0, 1, 2, 31, 1000}) {
    std::vector<int64_t> order = random_permutation(n, 3, 0);
    REQUIRE(static_cast<int64_t>(order.size()) == n);
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < n; ++i) CHECK(order[static_cast<size_t>(i)] == i);
  }
  const std::vector<int64_t> order = random_permutation(100, 3, 7);
  CHECK(order == random_permutation(100, 3, 7));
  CHECK(order != random_permutation(100, 3, 8));
  CHECK(order != random_permutation(100, 4, 7));
}

TEST_CASE("random_permutation: all orders are equally likely") {
  constexpr int kDraws = 6000;
  std::map<std::vector<int64_t>, int> counts;
  for (uint64_t epoch = 0; epoch < kDraws; ++epoch) ++counts[random_permutation(3, 1, epoch)];
  REQUIRE(counts.size() == 6);
  const double expected = kDraws / 6.0;
  for (const auto& [order, count] : counts)  // five standard deviations of a binomial count
    CHECK(std::abs(count - expected) < 5 * std::sqrt(expected * 5 / 6));
}

}  // namespace crescendo::test
