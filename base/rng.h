// Random numbers as pure functions of seed, purpose and position. Nothing here has state.
#pragma once

#include <cstdint>
#include <vector>

#include "base/philox.h"

namespace crescendo {

// The uses of random numbers. Different purposes have independent numbers.
enum class Purpose : uint32_t {
  initial_values = 1,
  data_order = 2,
  augmentation = 3,
  dropout = 4,
  drawing = 5
};

// Returns the Philox key for a seed and a purpose.
uint64_t random_key(uint64_t seed, Purpose purpose);

// Returns 128 random bits for the counter (a, b, block), e.g. sample, epoch,
// and block of numbers for this sample.
inline PhiloxWords random_words(uint64_t key, uint64_t a, uint32_t b, uint32_t block = 0) {
  return philox4x32({{static_cast<uint32_t>(a), static_cast<uint32_t>(a >> 32), b, block}}, key);
}

// Two independent standard normal numbers.
struct NormalPair {
  double first, second;
};
// Returns a pair that is computed from two random words (Box & Muller 1958).
NormalPair normal_pair(uint32_t word0, uint32_t word1);

__extension__ using Uint128 = unsigned __int128;

// Returns an integer in [0, bound) from 64 random bits. Its bias is below bound / 2^64.
inline uint64_t random_below(uint32_t high, uint32_t low, uint64_t bound) {
  const uint64_t bits = (uint64_t{high} << 32) | low;
  return static_cast<uint64_t>((static_cast<Uint128>(bits) * bound) >> 64);
}

// Returns a permutation of 0..n-1 (Fisher & Yates), as a function of (seed, epoch).
std::vector<int64_t> random_permutation(int64_t n, uint64_t seed, uint64_t epoch);

}  // namespace crescendo
