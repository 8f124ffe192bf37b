// The convolution that forward and backward data share: every output pixel gathers taps of a source image.
#pragma once

#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo {

// target[i, j, out] (=|+=) bias[out] + sum over taps (r, s) and in of
//   source[i * step_h + first_row + r, j * step_w + first_column + s, in] * weight[r, s, in, out]
// for images one after another; the source is zero outside its borders.
struct DirectConvolution {
  int64_t images;
  int64_t h, w, in;            // source
  int64_t rows, columns, out;  // target pixels (i, j)
  int64_t taps_h, taps_w;
  int64_t step_h, step_w;
  int64_t first_row, first_column;
  int64_t target_image, target_row, target_pixel;  // strides in elements

  int64_t taps() const { return taps_h * taps_w; }
  int64_t pixels() const { return rows * columns; }
};

// Elements of the packed weights: [tile of out][r][s][in][width of tile], and of the zeros read outside the
// borders.
int64_t packed_size(const DirectConvolution&);
int64_t zeros_size(const DirectConvolution&);

// `packed` holds the packed weights and then the zeros, both written by the caller (pack_weights, std::fill).
void run_direct(const DirectConvolution&, int threads, const real* source, const real* packed,
                const real* bias, real* target, Write);

}  // namespace crescendo
