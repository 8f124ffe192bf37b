// All randomness, as pure functions of what it is for: (seed, purpose, where). Nothing here has state.
#pragma once

#include <cstdint>
#include <vector>

#include "base/philox.h"

namespace crescendo {

enum class Purpose : uint32_t {
  initial_values = 1,
  data_order = 2,
  augmentation = 3,
  dropout = 4,
  drawing = 5
};

// A Philox key for one purpose of one run.
uint64_t random_key(uint64_t seed, Purpose purpose);

// 128 random bits for place (a, b), e.g. (epoch, sample) and block within it.
inline PhiloxWords random_words(uint64_t key, uint64_t a, uint32_t b, uint32_t block = 0) {
  return philox4x32({{static_cast<uint32_t>(a), static_cast<uint32_t>(a >> 32), b, block}}, key);
}

// Two standard normal deviates from two words (Box & Muller 1958).
struct NormalPair {
  double first, second;
};
NormalPair normal_pair(uint32_t word0, uint32_t word1);

__extension__ using Uint128 = unsigned __int128;

// An integer in [0, bound) from 64 random bits; the bias is below bound / 2^64.
inline uint64_t random_below(uint32_t high, uint32_t low, uint64_t bound) {
  const uint64_t bits = (uint64_t{high} << 32) | low;
  return static_cast<uint64_t>((static_cast<Uint128>(bits) * bound) >> 64);
}

// A permutation of 0..n-1 (Fisher & Yates), by (seed, epoch).
std::vector<int64_t> random_permutation(int64_t n, uint64_t seed, uint64_t epoch);

}  // namespace crescendo
