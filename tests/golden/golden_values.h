// The random numbers that both sides of a golden test use; golden.py computes the same ones. They are
// multiples of 2^-15, exact in float, and functions of (stream, index).
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "base/rng.h"

namespace crescendo::test {

// Numbers of the streams. A model's parameters have streams 0, 1, 2... in order of declaration.
inline constexpr uint32_t kProjectionStream = 1000, kSampleStream = 2000, kImageStream = 3000,
                          kOffsetStream = 4000, kLabelStream = 5000;

inline uint32_t golden_word(uint32_t stream, uint64_t index) {
  constexpr uint64_t kKey = 0x676F6C64656E;  // "golden"
  return random_words(kKey, index, stream).word[0];
}

// Returns a number that is uniform in [-1, 1).
inline double golden_value(uint32_t stream, uint64_t index) {
  return (golden_word(stream, index) >> 16) / 32768.0 - 1;
}

// Returns the power of two nearest (in logarithm) to He's bound sqrt(6 / fan_in).
inline double golden_weight_scale(int64_t fan_in) {
  return std::exp2(std::floor(std::log2(std::sqrt(6 / static_cast<double>(fan_in))) + 0.5));
}

// Returns images [n, side, side, 3] of one update: noise per pixel plus an offset per image and channel.
inline std::vector<float> golden_images(uint32_t update, int64_t n, int64_t side) {
  std::vector<float> images;
  const auto pixels = static_cast<uint64_t>(side * side);
  for (uint64_t i = 0; i < static_cast<uint64_t>(n) * pixels * 3; ++i)
    images.push_back(static_cast<float>(golden_value(kImageStream + update, i) +
                                        golden_value(kOffsetStream + update, i / (3 * pixels) * 3 + i % 3)));
  return images;
}

inline std::vector<int32_t> golden_labels(uint32_t update, int64_t n, uint32_t classes) {
  std::vector<int32_t> labels;
  for (uint64_t i = 0; i < static_cast<uint64_t>(n); ++i)
    labels.push_back(static_cast<int32_t>(golden_word(kLabelStream + update, i) % classes));
  return labels;
}

}  // namespace crescendo::test
