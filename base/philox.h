// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a pure function that
// maps a 128-bit counter and a 64-bit key to 128 random bits.
// It has no state that a checkpoint would have to store.
#pragma once

#include <array>
#include <cstdint>

#include "base/host_device.h"

namespace crescendo {

// A counter, or 128 random bits.
struct PhiloxWords {
  uint32_t word[4];
};

// Returns the 128 random bits of `counter` under `key`.
HD inline PhiloxWords philox4x32(PhiloxWords counter, uint64_t key) {
  uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter.word[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter.word[2];
    counter = {{static_cast<uint32_t>(b >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(b),
                static_cast<uint32_t>(a >> 32) ^ counter.word[3] ^ key1, static_cast<uint32_t>(a)}};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

// Returns a float in [0, 1) from the upper 24 bits of a word.
HD inline float philox_uniform(uint32_t word) { return static_cast<float>(word >> 8) * (1.0F / 16777216.0F); }

}  // namespace crescendo
