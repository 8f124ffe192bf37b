// The innermost loop of every matrix product c = a * b. A tile of Rows x Vectors sums stays in registers
// while the loop runs over columns of a and rows of b.
#pragma once

#include <iterator>
#include <span>

#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/simd.h"

namespace crescendo::CRESCENDO_CPU {

// A part of a sum of products: `depth` > 0 products, which begin at offsets a and b into the operands.
struct Stretch {
  int64_t a, b, depth;
};
using Stretches = std::span<const Stretch>;

// Computes one tile:
//   c[m, v] (=|+=) sum over the stretches s, and over d in [0, s.depth), in order, of
//     a[m][s.a + d * depth_stride] * b[s.b + d * b_stride + v]
// a[m] is rows[m / Shared] + m % Shared * row_stride. `Shared` neighbouring rows share a pointer, so that all
// addresses fit into registers. Rows of c are c_stride apart. RowStride is int64_t, or std::integral_constant
// if the compiler should know the stride. The function is never inlined, because the pointers would then
// compete with the caller's variables for registers.
template <int Rows, int Vectors, int Shared, class RowStride>
[[gnu::noinline]] void multiply_tile(Stretches stretches, const real* const* rows, RowStride row_stride,
                                     int64_t depth_stride, const real* b, int64_t b_stride, real* c,
                                     int64_t c_stride, Write write) {
  Vector sums[Rows][Vectors];
  repeat<Rows>([&](auto m) {
    repeat<Vectors>(
        [&](auto v) { sums[m][v] = write == Write::add ? load(c + m * c_stride + v * kLanes) : zero(); });
  });
  constexpr int kPointers = (Rows + Shared - 1) / Shared;
  for (const Stretch& stretch : stretches) {
    const real* left[kPointers];
    repeat<kPointers>([&](auto i) { left[i] = rows[i] + stretch.a; });
    const real* right = b + stretch.b;
    for (int64_t d = 0; d < stretch.depth; ++d) {
      Vector columns[Vectors];
      repeat<Vectors>([&](auto v) { columns[v] = load(right + v * kLanes); });
      repeat<Rows>([&](auto m) {
        const Vector row = broadcast(left[m / Shared] + m % Shared * row_stride);
        repeat<Vectors>([&](auto v) { sums[m][v] = multiply_add(row, columns[v], sums[m][v]); });
      });
      repeat<kPointers>([&](auto i) { left[i] += depth_stride; });
      right += b_stride;
    }
  }
  repeat<Rows>(
      [&](auto m) { repeat<Vectors>([&](auto v) { store(c + m * c_stride + v * kLanes, sums[m][v]); }); });
}

// Returns the number of tiles that multiply_tiles computes.
inline int64_t tile_count(int64_t rows, int64_t columns) {
  return (rows + kTileRows - 1) / kTileRows * tiles_of(columns);
}

// Computes c [rows, columns] tile by tile, for any number of rows, which are row_stride apart in a. Columns
// are padded to whole vectors. b consists of panels of kTileWidth columns; panels are b_panel elements apart,
// and rows within a panel are b_stride(width of panel) apart.
// Before each tile the function advances `ahead` by one step.
template <class RowStride, class BStride>
void multiply_tiles(int64_t rows, int64_t columns, Stretches stretches, const real* a, RowStride row_stride,
                    int64_t depth_stride, const real* b, int64_t b_panel, const BStride& b_stride, real* c,
                    int64_t c_stride, Write write, Prefetch& ahead) {
  const int64_t groups = (rows + kTileRows - 1) / kTileRows;  // groups of rows, of about equal size
  for (int64_t t = 0; t < tiles_of(columns); ++t) {
    const int64_t width = tile_width(columns, t);
    with_vectors(width, [&](auto vectors) {
      for (int64_t group = 0; group < groups; ++group) {
        const int64_t begin = rows * group / groups, end = rows * (group + 1) / groups;
        ahead.step();
        with_rows(end - begin, [&](auto count) {
          constexpr int kShared = 4;
          const real* left[(count() + kShared - 1) / kShared];
          for (int64_t i = 0; i < std::ssize(left); ++i) left[i] = a + (begin + kShared * i) * row_stride;
          multiply_tile<count(), vectors(), kShared>(stretches, left, row_stride, depth_stride,
                                                     b + t * b_panel, b_stride(width),
                                                     c + begin * c_stride + t * kTileWidth, c_stride, write);
        });
      }
    });
  }
}

// Computes c with all products in one stretch.
template <class RowStride, class BStride>
void multiply_tiles(int64_t rows, int64_t columns, int64_t depth, const real* a, RowStride row_stride,
                    int64_t depth_stride, const real* b, int64_t b_panel, const BStride& b_stride, real* c,
                    int64_t c_stride, Write write, Prefetch& ahead) {
  const Stretch all{0, 0, depth};
  multiply_tiles(rows, columns, Stretches(&all, 1), a, row_stride, depth_stride, b, b_panel, b_stride, c,
                 c_stride, write, ahead);
}

}  // namespace crescendo::CRESCENDO_CPU
