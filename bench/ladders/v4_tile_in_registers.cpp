// 4. Eight neighbouring pixels times two vectors of output channels stay in registers. A vector of weights is
// loaded once for eight multiply-adds, and an input is broadcast once for two.
//
// A step of one input channel is then 16 multiply-adds for two loads and eight broadcasts. It takes 128 bytes
// from the second-level cache, which is 8 per multiply-add instead of 64.
#include "border.h"
#include "kernels/cpu/simd.h"

namespace crescendo::bench {

using namespace CRESCENDO_CPU;

namespace {

// Eight rows, or as many as fit if there are fewer than 32 registers.
constexpr int kRows = std::min(8, kTileRows);

// Computes kTileWidth output channels of kRows pixels in a row of y. `corner` is the pixel under the first
// tap of the first pixel.
void convolve_tile(const Layer& layer, const real* corner, const real* weights, real* y) {
  const int64_t channels = layer.channels;
  Vector sums[kRows][kTileVectors];
  for (auto& row : sums)
    for (Vector& sum : row) sum = zero();
  for (int64_t r = 0; r < 3; ++r, corner += (layer.size + 2) * channels)
    for (int64_t i = 0; i < 3 * channels; ++i) {
      Vector right[kTileVectors];
      for (int v = 0; v < kTileVectors; ++v) right[v] = load(weights + v * kLanes);
      for (int m = 0; m < kRows; ++m) {
        const Vector left = broadcast(corner + m * channels + i);
        for (int v = 0; v < kTileVectors; ++v) sums[m][v] = multiply_add(left, right[v], sums[m][v]);
      }
      weights += channels;
    }
  for (int m = 0; m < kRows; ++m)
    for (int v = 0; v < kTileVectors; ++v) store(y + m * channels + v * kLanes, sums[m][v]);
}

}  // namespace

Convolution tile_in_registers(const Layer& layer) {
  const Memory transposed = allocate(layer.channels * layer.filter()),
               bordered = allocate(bordered_size(layer));
  return [=](const real* x, const real* weight, real* y) {
    pack_weights(layer, weight, layer.channels, transposed.get());
    for (int64_t n = 0; n < layer.images; ++n, x += layer.image(), y += layer.image()) {
      copy_inside(layer, x, bordered.get());
      for (int64_t k = 0; k < layer.channels; k += kTileWidth)
        for (int64_t p = 0; p < layer.size; ++p)
          for (int64_t column = 0; column < layer.size; column += kRows) {
            const int64_t q =
                std::min(column, layer.size - kRows);  // the last tile may overlap the one before
            convolve_tile(layer, bordered.get() + (p * (layer.size + 2) + q) * layer.channels,
                          transposed.get() + k, y + (p * layer.size + q) * layer.channels + k);
          }
    }
  };
}

}  // namespace crescendo::bench
