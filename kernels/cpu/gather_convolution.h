// The convolution that forward and backward data share: every target pixel gathers taps of a source image.
#pragma once

#include <vector>

#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::CRESCENDO_CPU {

// target[i, j, out] (=|+=) bias[out] + sum over taps (r, s) and in of
//   source[(i * step_h + first_row + r) / spread, (j * step_w + first_column + s) / spread, in]
//     * weight[r, s, in, out]
// where `spread` divides, for images one after another; the source is zero outside its borders.
struct GatherConvolution {
  int64_t images;
  int64_t h, w, in;            // source
  int64_t rows, columns, out;  // target pixels (i, j)
  int64_t taps_h, taps_w;
  int64_t step_h, step_w;
  int64_t first_row, first_column;
  int64_t spread;                                  // 1, unless made by gather_backward_whole
  int64_t target_image, target_row, target_pixel;  // strides in elements

  int64_t taps() const { return taps_h * taps_w; }
  int64_t pixels() const { return rows * columns; }
};

// Where the weights of one lie: that of a tap for `in` and `out` is
// weight[first + row * r + column * s + in_stride * in + out_stride * out]. Either in_stride or out_stride
// is 1.
struct GatherWeights {
  int64_t first;
  int64_t row, column;
  int64_t in_stride, out_stride;
};

struct Gather {
  GatherConvolution convolution;
  GatherWeights weights;
  int64_t target;  // offset of target pixel (0, 0)
};

Gather gather_forward(const Conv2dGeometry&);

// Backward, every input pixel gathers the outputs it went into. With strides those differ from pixel to
// pixel: pixels of one phase (h mod stride_h, w mod stride_w) share them.
std::vector<Gather> gather_backward(const Conv2dGeometry&);

// The same as one convolution, of equal strides.
Gather gather_backward_whole(const Conv2dGeometry&);

}  // namespace crescendo::CRESCENDO_CPU
