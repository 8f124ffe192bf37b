// The form of convolution that the forward and the backward data pass share: every target pixel gathers the
// source pixels under its taps. The source is x or dy, the target is y or dx.
#pragma once

#include <vector>

#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::CRESCENDO_CPU {

// The sizes of such a convolution. For each image:
//   target[i, j, out] (=|+=) sum over taps (r, s) and in of
//     source[(i * step_h + first_row + r) / spread, (j * step_w + first_column + s) / spread, in]
//       * weight[r, s, in, out]
// The sum takes only the taps for which both divisions by `spread` leave no remainder. The source is zero
// outside its borders.
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

// The layout of the weights. The weight of tap (r, s) between channels `in` and `out` is
//   weight[first + row * r + column * s + in_stride * in + out_stride * out]
// Either in_stride or out_stride is 1.
struct GatherWeights {
  int64_t first;
  int64_t row, column;
  int64_t in_stride, out_stride;
};

// A convolution with the layout of its weights and of its target.
struct Gather {
  GatherConvolution convolution;
  GatherWeights weights;
  int64_t target;  // offset of target pixel (0, 0)
};

// Returns the forward pass.
Gather gather_forward(const Conv2dGeometry&);

// Returns the backward data pass as one convolution for each phase. Every input pixel gathers the gradients
// of the outputs that it contributed to. With strides, different input pixels use different taps; all pixels
// of one phase (h mod stride_h, w mod stride_w) use the same ones.
std::vector<Gather> gather_backward(const Conv2dGeometry&);

// Returns the backward data pass as one convolution, with `spread` equal to the stride.
// Both strides must be equal.
Gather gather_backward_whole(const Conv2dGeometry&);

}  // namespace crescendo::CRESCENDO_CPU
