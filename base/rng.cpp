#include "base/rng.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace crescendo {

uint64_t random_key(uint64_t seed, Purpose purpose) {
  // Hashed, so that keys of neighbouring seeds are unrelated.
  const PhiloxWords words = philox4x32({{static_cast<uint32_t>(purpose), 0, 0, 0x43524553}}, seed);
  return (uint64_t{words.word[0]} << 32) | words.word[1];
}

NormalPair normal_pair(uint32_t word0, uint32_t word1) {
  const double uniform = (word0 + 0.5) / 4294967296.0;  // in (0, 1): the logarithm stays finite
  const double radius = std::sqrt(-2 * std::log(uniform));
  const double angle = 2 * std::numbers::pi * (word1 + 0.5) / 4294967296.0;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

std::vector<int64_t> random_permutation(int64_t n, uint64_t seed, uint64_t epoch) {
  const uint64_t key = random_key(seed, Purpose::data_order);
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t i = n - 1; i > 0; --i) {
    const PhiloxWords words = philox4x32({{static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32),
                                           static_cast<uint32_t>(epoch), static_cast<uint32_t>(epoch >> 32)}},
                                         key);
    const auto j =
        static_cast<int64_t>(random_below(words.word[0], words.word[1], static_cast<uint64_t>(i) + 1));
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(j)]);
  }
  return order;
}

}  // namespace crescendo
