// 5. The weights are packed into panels as wide as the tile, in the order in which the tile reads them: one
// stream, which the processor fetches ahead. The pixels are not copied: each tap of a pixel has a pointer,
// which leads to zeros outside the borders. So the image needs no border, and a tile may continue in the next
// row.
//
// In [r][s][c][k] the 128 bytes of one step lie 4 * k bytes after those of the step before. With 64 channels
// a tile reads every other 128 bytes; with 512, each step is half a page of memory further.
#include <algorithm>

#include "kernels/cpu/simd.h"
#include "ladder.h"

namespace crescendo::bench {

using namespace CRESCENDO_CPU;

namespace {

constexpr int kRows = std::min(8, kTileRows);

// Pointers to the source pixel under each tap of kRows pixels.
using Taps = const real* [9][kRows];

// Finds the taps of pixels [first, first + kRows) of an image. Pixels are counted row after row.
void find_taps(const Layer& layer, const real* image, const real* zeros, int64_t first, Taps& taps) {
  for (int m = 0; m < kRows; ++m) {
    const int64_t p = (first + m) / layer.size, q = (first + m) % layer.size;
    for (int t = 0; t < 9; ++t) {
      const int64_t h = p + t / 3 - 1, w = q + t % 3 - 1;
      const bool exists = h >= 0 && h < layer.size && w >= 0 && w < layer.size;
      taps[t][m] = exists ? image + (h * layer.size + w) * layer.channels : zeros;
    }
  }
}

// Computes the channels of one panel for kRows pixels of y.
void convolve_tile(int64_t channels, const Taps& taps, const real* panel, real* y) {
  Vector sums[kRows][kTileVectors];
  for (auto& row : sums)
    for (Vector& sum : row) sum = zero();
  for (const auto& pixels : taps)
    for (int64_t c = 0; c < channels; ++c, panel += kTileWidth) {
      Vector right[kTileVectors];
      for (int v = 0; v < kTileVectors; ++v) right[v] = load(panel + v * kLanes);
      for (int m = 0; m < kRows; ++m) {
        const Vector left = broadcast(pixels[m] + c);
        for (int v = 0; v < kTileVectors; ++v) sums[m][v] = multiply_add(left, right[v], sums[m][v]);
      }
    }
  for (int m = 0; m < kRows; ++m)
    for (int v = 0; v < kTileVectors; ++v) store(y + m * channels + v * kLanes, sums[m][v]);
}

}  // namespace

Convolution packed_panels(const Layer& layer) {
  const Memory packed = allocate(layer.channels * layer.filter()), zeros = allocate(layer.channels);
  return [=](const real* x, const real* weight, real* y) {
    pack_weights(layer, weight, kTileWidth, packed.get());
    for (int64_t n = 0; n < layer.images; ++n, x += layer.image(), y += layer.image())
      for (int64_t k = 0; k < layer.channels; k += kTileWidth)
        for (int64_t pixel = 0; pixel < layer.pixels(); pixel += kRows) {
          const int64_t first = std::min(pixel, layer.pixels() - kRows);
          Taps taps;
          find_taps(layer, x, zeros.get(), first, taps);
          convolve_tile(layer.channels, taps, packed.get() + k * layer.filter(),
                        y + first * layer.channels + k);
        }
  };
}

}  // namespace crescendo::bench
