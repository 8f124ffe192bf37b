// The source pixels under the taps of each target pixel, side by side: a convolution is then a matrix
// product.
#pragma once

#include <algorithm>

#include "kernels/cpu/gather_convolution.h"
#include "kernels/cpu/prefetch.h"
#include "kernels/cpu/simd.h"

namespace crescendo::CRESCENDO_CPU {

// patches [count, taps_h, taps_w, in], `stride` elements apart with zeros up to there, at least kLanes of
// them, of the target pixels from `first` on, counted row after row and image after image.
inline void im2col(const GatherConvolution& d, const real* source, int64_t first, int64_t count,
                   int64_t stride, real* patches) {
  const int64_t run = d.taps_w * d.in, rest = stride - d.taps() * d.in;  // the taps of a row lie side by side
  const int64_t elements = d.images * d.h * d.w * d.in;
  int64_t image = first / d.pixels(), i = first % d.pixels() / d.columns, j = first % d.columns;
  for (int64_t n = 0; n < count; ++n) {
    const int64_t row = i * d.step_h + d.first_row, column = j * d.step_w + d.first_column;
    const int64_t left = std::clamp<int64_t>(-column, 0, d.taps_w),
                  right = std::clamp<int64_t>(d.w - column, left, d.taps_w);
    const auto place = [&](int64_t r) { return ((image * d.h + row + r) * d.w + column) * d.in; };
    for (int64_t r = 0; r < d.taps_h; ++r, patches += run) {
      const bool exists = row + r >= 0 && row + r < d.h;
      if (exists && left == 0 && right == d.taps_w && place(r) + run + kLanes <= elements) {
        for (int64_t v = 0; v < run; v += kLanes) store(patches + v, load(source + place(r) + v));
        continue;
      }
      const int64_t begin = exists ? left * d.in : run, end = exists ? right * d.in : run;
      std::fill(patches, patches + begin, real{0});
      if (begin < end) std::copy(source + place(r) + begin, source + place(r) + end, patches + begin);
      std::fill(patches + end, patches + run, real{0});
    }
    std::fill(patches, patches + rest, real{0});
    patches += rest;
    if (++j < d.columns) continue;
    j = 0;
    if (++i < d.rows) continue;
    i = 0;
    ++image;
  }
}

// What im2col reads for the target pixels [from, to).
inline Prefetch prefetch_im2col(const GatherConvolution& d, const real* source, int64_t from, int64_t to,
                                int64_t steps) {
  if (from >= to) return {};
  const auto place = [&](int64_t pixel, int64_t row) {
    const int64_t image = pixel / d.pixels(), i = pixel % d.pixels() / d.columns;
    const int64_t rows = image * d.h + std::clamp<int64_t>(i * d.step_h + d.first_row + row, 0, d.h);
    return source + rows * d.w * d.in;
  };
  return {place(from, 0), place(to - 1, d.taps_h), steps};
}

}  // namespace crescendo::CRESCENDO_CPU
