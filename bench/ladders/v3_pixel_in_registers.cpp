// 3. Four vectors of sums of one pixel stay in registers until all taps and input channels have been added. A
// multiply-add loads one vector of weights, and nothing is stored before the end.
//
// Every pixel reads all weights: 9 * 64 * 64 * 4 bytes = 147 KB, more than the first-level cache holds. They
// come from the second-level cache, whose bandwidth is now the limit.
#include "border.h"
#include "kernels/cpu/simd.h"

namespace crescendo::bench {

using namespace CRESCENDO_CPU;

namespace {

constexpr int kVectors = 4, kWidth = kVectors * kLanes;

// Computes kWidth output channels of one pixel. `corner` is the pixel under the first tap.
void convolve_pixel(const Layer& layer, const real* corner, const real* weights, real* y) {
  Vector sums[kVectors];
  for (Vector& sum : sums) sum = zero();
  for (int64_t r = 0; r < 3; ++r, corner += (layer.size + 2) * layer.channels)
    for (int64_t i = 0; i < 3 * layer.channels; ++i) {  // the channels of three pixels are contiguous
      const Vector left = broadcast(corner + i);
      for (int v = 0; v < kVectors; ++v) sums[v] = multiply_add(left, load(weights + v * kLanes), sums[v]);
      weights += layer.channels;
    }
  for (int v = 0; v < kVectors; ++v) store(y + v * kLanes, sums[v]);
}

}  // namespace

Convolution pixel_in_registers(const Layer& layer) {
  const Memory transposed = allocate(layer.channels * layer.filter()),
               bordered = allocate(bordered_size(layer));
  return [=](const real* x, const real* weight, real* y) {
    pack_weights(layer, weight, layer.channels, transposed.get());
    for (int64_t n = 0; n < layer.images; ++n, x += layer.image(), y += layer.image()) {
      copy_inside(layer, x, bordered.get());
      for (int64_t k = 0; k < layer.channels; k += kWidth)
        for (int64_t p = 0; p < layer.size; ++p)
          for (int64_t q = 0; q < layer.size; ++q)
            convolve_pixel(layer, bordered.get() + (p * (layer.size + 2) + q) * layer.channels,
                           transposed.get() + k, y + (p * layer.size + q) * layer.channels + k);
    }
  };
}

}  // namespace crescendo::bench
