// Vectors of real, as Eigen's packets: whatever the compiler was told the processor has, scalars if need be.
// A sum of products here is one chain of multiply_add per element, so it rounds alike wherever the element
// lies in a tile.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <utility>

#include "kernels/real.h"

namespace crescendo::CRESCENDO_CPU {

using Vector = Eigen::internal::packet_traits<real>::type;
constexpr int kLanes = Eigen::internal::packet_traits<real>::size;

// A tile holds kTileRows x kTileVectors sums in registers and leaves three for the operands.
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
// Of a NaN and a number it is `a`, whichever that is.
inline Vector max(const Vector& a, const Vector& b) { return Eigen::internal::pmax(a, b); }
// `value` where `sign` is positive or NaN, otherwise 0.
inline Vector where_positive(const Vector& sign, const Vector& value) {
  return Eigen::internal::pandnot(value, Eigen::internal::pcmp_le(sign, zero()));
}
inline Vector multiply_add(const Vector& a, const Vector& b, const Vector& sum) {
  return Eigen::internal::pmadd(a, b, sum);
}

// The lanes of the lower or the upper halves of two vectors in turn.
template <bool Upper, int... I>
inline Vector interleave(const Vector& a, const Vector& b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (Upper ? kLanes / 2 : 0) + I / 2 + I % 2 * kLanes...);
}

// Rows become columns: a bit of the row's number and one of the lane's change places in each pass.
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

// The first `count` lanes; the others read as zeros and are not written.
inline Vector load_some(const real* from, int64_t count) {
  if (count >= kLanes) return load(from);
  real values[kLanes] = {};
  std::copy(from, from + count, values);
  return load(values);
}

inline void store_some(real* to, int64_t count, const Vector& v) {
  if (count >= kLanes) return store(to, v);
  real values[kLanes];
  store(values, v);
  std::copy(values, values + count, to);
}

// `count` channels in tiles of kTileWidth; the last is one vector wide where that is enough.
constexpr int64_t tiles_of(int64_t count) { return (count + kTileWidth - 1) / kTileWidth; }
constexpr int64_t tile_width(int64_t count, int64_t tile) {
  return count - tile * kTileWidth <= kLanes ? kLanes : kTileWidth;
}
constexpr int64_t padded_to_tiles(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

// A size rounded up so that what follows it starts on a 64-byte boundary.
constexpr int64_t aligned(int64_t count) { return (count + 15) / 16 * 16; }

// f(integral_constant i) for i in [0, N), unrolled.
template <int N, class F>
inline void repeat(const F& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) { (f(std::integral_constant<int, I>()), ...); }
  (std::make_integer_sequence<int, N>());
}

// f(rows) with `rows` in [1, kTileRows] as a compile-time number.
template <int Rows = kTileRows, class F>
void with_rows(int64_t rows, const F& f) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return with_rows<Rows - 1>(rows, f);
  }
  f(std::integral_constant<int, Rows>());
}

// f(vectors) for a tile of one vector or of kTileVectors.
template <class F>
void with_vectors(int64_t width, const F& f) {
  if (width == kLanes)
    f(std::integral_constant<int, 1>());
  else
    f(std::integral_constant<int, kTileVectors>());
}

}  // namespace crescendo::CRESCENDO_CPU
