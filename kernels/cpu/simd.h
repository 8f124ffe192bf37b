// Vectors of real, as Eigen's packets. Their width follows from the instruction set that this file is
// compiled for; without vector instructions they are scalars. Every sum of products is one chain of
// multiply_add per element, so its rounding does not depend on the element's position in a tile.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <utility>

#include "kernels/real.h"

namespace crescendo::CRESCENDO_CPU {

using Vector = Eigen::internal::packet_traits<real>::type;
constexpr int kLanes = Eigen::internal::packet_traits<real>::size;

// Size of a tile: kTileRows x kTileVectors sums in registers. At least three registers remain for operands.
constexpr int kTileVectors = 2;
constexpr int kTileRows = (EIGEN_ARCH_DEFAULT_NUMBER_OF_REGISTERS - 3) / kTileVectors;
constexpr int kTileWidth = kTileVectors * kLanes;

inline Vector zero() { return Eigen::internal::pset1<Vector>(real{0}); }
inline Vector load(const real* from) { return Eigen::internal::ploadu<Vector>(from); }
inline void store(real* to, const Vector& v) { Eigen::internal::pstoreu(to, v); }
inline Vector broadcast(const real* from) { return Eigen::internal::pset1<Vector>(*from); }
inline Vector add(const Vector& a, const Vector& b) { return Eigen::internal::padd(a, b); }
inline Vector subtract(const Vector& a, const Vector& b) { return Eigen::internal::psub(a, b); }
inline Vector multiply(const Vector& a, const Vector& b) { return Eigen::internal::pmul(a, b); }
// Returns the larger value; if one of the two is NaN, returns `a`.
inline Vector max(const Vector& a, const Vector& b) { return Eigen::internal::pmax(a, b); }
// Returns `value` where `sign` is positive or NaN, otherwise 0.
inline Vector where_positive(const Vector& sign, const Vector& value) {
  return Eigen::internal::pandnot(value, Eigen::internal::pcmp_le(sign, zero()));
}
// Returns a * b + sum.
inline Vector multiply_add(const Vector& a, const Vector& b, const Vector& sum) {
  return Eigen::internal::pmadd(a, b, sum);
}

// Interleaves the lower or the upper halves of two vectors.
template <bool Upper, int... I>
inline Vector interleave(const Vector& a, const Vector& b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (Upper ? kLanes / 2 : 0) + I / 2 + I % 2 * kLanes...);
}

// Transposes a square of rows and lanes.
// Each pass exchanges one bit of the row index with one bit of the lane index.
inline void transpose(Vector (&rows)[kLanes]) {
  constexpr std::make_integer_sequence<int, kLanes> kAll;
  for (int pass = 1; pass < kLanes; pass *= 2) {
    Vector next[kLanes];
    for (int i = 0; i < kLanes / 2; ++i) {
      next[2 * i] = interleave<false>(rows[i], rows[i + kLanes / 2], kAll);
      next[2 * i + 1] = interleave<true>(rows[i], rows[i + kLanes / 2], kAll);
    }
    std::copy(next, next + kLanes, rows);
  }
}

// Loads the first `count` lanes; the others are zero.
inline Vector load_some(const real* from, int64_t count) {
  if (count >= kLanes) return load(from);
  real values[kLanes] = {};
  std::copy(from, from + count, values);
  return load(values);
}

// Stores the first `count` lanes.
inline void store_some(real* to, int64_t count, const Vector& v) {
  if (count >= kLanes) return store(to, v);
  real values[kLanes];
  store(values, v);
  std::copy(values, values + count, to);
}

// Returns the number of tiles for `count` channels. Tiles are kTileWidth wide, but the last one is a single
// vector wide if a vector suffices.
constexpr int64_t tiles_of(int64_t count) { return (count + kTileWidth - 1) / kTileWidth; }
// Returns the width of a tile.
constexpr int64_t tile_width(int64_t count, int64_t tile) {
  return count - tile * kTileWidth <= kLanes ? kLanes : kTileWidth;
}
// Returns the sum of the widths of all tiles.
constexpr int64_t padded_to_tiles(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

// Returns a number of elements rounded up, so that the next buffer starts on a 64-byte boundary.
constexpr int64_t aligned(int64_t count) { return (count + 15) / 16 * 16; }

// Calls f(std::integral_constant i) for each i in [0, N), unrolled.
template <int N, class F>
inline void repeat(const F& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) { (f(std::integral_constant<int, I>()), ...); }
  (std::make_integer_sequence<int, N>());
}

// Calls f(rows) with `rows`, in [1, kTileRows], as a compile-time constant.
template <int Rows = kTileRows, class F>
void with_rows(int64_t rows, const F& f) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return with_rows<Rows - 1>(rows, f);
  }
  f(std::integral_constant<int, Rows>());
}

// Calls f(vectors) with the number of vectors in a tile, 1 or kTileVectors, as a compile-time constant.
template <class F>
void with_vectors(int64_t width, const F& f) {
  if (width == kLanes)
    f(std::integral_constant<int, 1>());
  else
    f(std::integral_constant<int, kTileVectors>());
}

}  // namespace crescendo::CRESCENDO_CPU
