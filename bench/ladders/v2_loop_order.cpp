// 2. The innermost loop runs over output channels. They are contiguous in y, and in the weights too once
// these are transposed to [r][s][c][k]. The sums do not depend on each other, so the compiler computes a
// vector of them at a time.
//
// Each multiply-add now loads a vector of weights and a vector of sums, and stores the sums. For the next
// input channel the sums are loaded again, and that takes longer than the arithmetic.
#include <algorithm>

#include "ladder.h"

namespace crescendo::bench {
namespace {

// y += x * weight. `__restrict` states that they do not overlap; otherwise each call would have to check it.
void add_scaled(int64_t channels, real x, const real* __restrict weight, real* __restrict y) {
  for (int64_t k = 0; k < channels; ++k) y[k] += x * weight[k];
}

void convolve_pixel(const Layer& layer, const real* image, const real* transposed, int64_t p, int64_t q,
                    real* y) {
  const int64_t size = layer.size, channels = layer.channels;
  std::fill_n(y, channels, real{0});
  for (int64_t r = 0; r < 3; ++r)
    for (int64_t s = 0; s < 3; ++s) {
      const int64_t h = p + r - 1, w = q + s - 1;
      if (h < 0 || h >= size || w < 0 || w >= size) continue;
      const real* pixel = image + (h * size + w) * channels;
      const real* tap = transposed + (r * 3 + s) * channels * channels;
      for (int64_t c = 0; c < channels; ++c) add_scaled(channels, pixel[c], tap + c * channels, y);
    }
}

}  // namespace

Convolution loop_order(const Layer& layer) {
  const Memory transposed = allocate(layer.channels * layer.filter());
  return [=](const real* x, const real* weight, real* y) {
    pack_weights(layer, weight, layer.channels, transposed.get());
    for (int64_t n = 0; n < layer.images; ++n)
      for (int64_t p = 0; p < layer.size; ++p)
        for (int64_t q = 0; q < layer.size; ++q)
          convolve_pixel(layer, x + n * layer.image(), transposed.get(), p, q,
                         y + ((n * layer.size + p) * layer.size + q) * layer.channels);
  };
}

}  // namespace crescendo::bench
