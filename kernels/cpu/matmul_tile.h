// The innermost loop of every matrix product: a tile of Rows x Vectors sums stays in registers while the
// products of `depth` rows of b and columns of a pass by.
#pragma once

#include "kernels/cpu/simd.h"

namespace crescendo {

// sums[m][v] += sum over d of a[m * row_stride + d * depth_stride] * b[d * b_stride + v], in order of d.
// RowStride is int64_t, or a std::integral_constant where the compiler shall know it.
template <int Rows, int Vectors, class RowStride>
inline void multiply_tile(int64_t depth, const real* a, RowStride row_stride, int64_t depth_stride,
                          const real* b, int64_t b_stride, Vector (&sums)[Rows][Vectors]) {
  // Four rows share a pointer, so that the addresses of all of them fit into registers.
  constexpr int kBases = (Rows + 3) / 4;
  const real* base[kBases];
  for (int i = 0; i < kBases; ++i) base[i] = a + 4 * i * row_stride;
  for (int64_t d = 0; d < depth; ++d) {
    Vector right[Vectors];
    for (int v = 0; v < Vectors; ++v) right[v] = load(b + v * kLanes);
    for (int m = 0; m < Rows; ++m) {
      const Vector left = broadcast(base[m / 4] + m % 4 * row_stride);
      for (int v = 0; v < Vectors; ++v) sums[m][v] = multiply_add(left, right[v], sums[m][v]);
    }
    for (int i = 0; i < kBases; ++i) base[i] += depth_stride;
    b += b_stride;
  }
}

}  // namespace crescendo
