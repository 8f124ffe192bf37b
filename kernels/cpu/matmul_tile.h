// The innermost loop of every matrix product: a tile of Rows x Vectors sums stays in registers while the
// products of `depth` columns of a and rows of b pass by.
#pragma once

#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/simd.h"

namespace crescendo::CRESCENDO_CPU {

// c[m, v] (=|+=) sum over d of a[m * row_stride + d * depth_stride] * b[d * b_stride + v], in order of d;
// rows of c lie c_stride apart. RowStride is int64_t, or a std::integral_constant where the compiler shall
// know it. Never inlined: among a caller's variables, the pointers would lose their registers.
template <int Rows, int Vectors, class RowStride>
[[gnu::noinline]] void multiply_tile(int64_t depth, const real* a, RowStride row_stride, int64_t depth_stride,
                                     const real* b, int64_t b_stride, real* c, int64_t c_stride,
                                     Write write) {
  Vector sums[Rows][Vectors];
  for (int m = 0; m < Rows; ++m)
    for (int v = 0; v < Vectors; ++v)
      sums[m][v] = write == Write::add ? load(c + m * c_stride + v * kLanes) : zero();
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
  for (int m = 0; m < Rows; ++m)
    for (int v = 0; v < Vectors; ++v) store(c + m * c_stride + v * kLanes, sums[m][v]);
}

// How many tiles multiply_tiles computes.
inline int64_t tile_count(int64_t rows, int64_t columns) {
  return (rows + kTileRows - 1) / kTileRows * tiles_of(columns);
}

// The same for any number of rows, and of columns padded to whole vectors: c [rows, columns]. b lies in
// panels of kTileWidth columns, b_panel elements apart, with rows b_stride(width of panel) apart. `ahead` is
// fetched meanwhile, a little before each tile.
template <class RowStride, class BStride>
void multiply_tiles(int64_t rows, int64_t columns, int64_t depth, const real* a, RowStride row_stride,
                    int64_t depth_stride, const real* b, int64_t b_panel, const BStride& b_stride, real* c,
                    int64_t c_stride, Write write, Prefetch& ahead) {
  const int64_t groups = (rows + kTileRows - 1) / kTileRows;  // of about equal size
  for (int64_t t = 0; t < tiles_of(columns); ++t) {
    const int64_t width = tile_width(columns, t);
    with_vectors(width, [&](auto vectors) {
      for (int64_t group = 0; group < groups; ++group) {
        const int64_t begin = rows * group / groups, end = rows * (group + 1) / groups;
        ahead.step();
        with_rows(end - begin, [&](auto count) {
          multiply_tile<count(), vectors()>(depth, a + begin * row_stride, row_stride, depth_stride,
                                            b + t * b_panel, b_stride(width),
                                            c + begin * c_stride + t * kTileWidth, c_stride, write);
        });
      }
    });
  }
}

}  // namespace crescendo::CRESCENDO_CPU
