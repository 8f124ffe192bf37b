#include "kernels/cpu/gather_convolution.h"

#include <algorithm>

namespace crescendo::CRESCENDO_CPU {

namespace {

// The inputs phase + i * stride along one axis. Input h contributes to output p through tap r if
//   h + pad = p * stride + r
// so the taps of a phase are first_tap, first_tap + stride, ... The last tap leads to the earliest output.
struct Phase {
  int64_t count;         // number of inputs
  int64_t first_tap;     // the smallest tap
  int64_t taps;          // number of taps
  int64_t first_output;  // the output that the first input reaches through the last tap; may lie outside

  Phase(int64_t phase, int64_t size, int64_t filter, int64_t stride, int64_t pad)
      : count((size - phase + stride - 1) / stride),
        first_tap((phase + pad) % stride),
        taps(std::max<int64_t>(0, (filter - first_tap + stride - 1) / stride)),
        first_output((phase + pad - first_tap) / stride - (taps - 1)) {}
};

}  // namespace

Gather gather_forward(const Conv2dGeometry& g) {
  return {
      .convolution = {.images = g.n,
                      .h = g.h,
                      .w = g.w,
                      .in = g.c,
                      .rows = g.p,
                      .columns = g.q,
                      .out = g.k,
                      .taps_h = g.r,
                      .taps_w = g.s,
                      .step_h = g.stride_h,
                      .step_w = g.stride_w,
                      .first_row = -g.pad_top,
                      .first_column = -g.pad_left,
                      .spread = 1,
                      .target_image = g.p * g.q * g.k,
                      .target_row = g.q * g.k,
                      .target_pixel = g.k},
      .weights = {.first = 0, .row = g.s * g.c, .column = g.c, .in_stride = 1, .out_stride = g.r * g.s * g.c},
      .target = 0};
}

std::vector<Gather> gather_backward(const Conv2dGeometry& g) {
  std::vector<Gather> phases;
  for (int64_t row = 0; row < std::min(g.stride_h, g.h); ++row)
    for (int64_t column = 0; column < std::min(g.stride_w, g.w); ++column) {
      const Phase h(row, g.h, g.r, g.stride_h, g.pad_top), w(column, g.w, g.s, g.stride_w, g.pad_left);
      // Taps are visited in descending order, because outputs are visited in ascending order.
      const int64_t last_r = h.first_tap + (h.taps - 1) * g.stride_h,
                    last_s = w.first_tap + (w.taps - 1) * g.stride_w;
      phases.push_back({.convolution = {.images = g.n,
                                        .h = g.p,
                                        .w = g.q,
                                        .in = g.k,
                                        .rows = h.count,
                                        .columns = w.count,
                                        .out = g.c,
                                        .taps_h = h.taps,
                                        .taps_w = w.taps,
                                        .step_h = 1,
                                        .step_w = 1,
                                        .first_row = h.first_output,
                                        .first_column = w.first_output,
                                        .spread = 1,
                                        .target_image = g.h * g.w * g.c,
                                        .target_row = g.stride_h * g.w * g.c,
                                        .target_pixel = g.stride_w * g.c},
                        .weights = {.first = (last_r * g.s + last_s) * g.c,
                                    .row = -g.stride_h * g.s * g.c,
                                    .column = -g.stride_w * g.c,
                                    .in_stride = g.r * g.s * g.c,
                                    .out_stride = 1},
                        .target = (row * g.w + column) * g.c});
    }
  return phases;
}

// Input h reaches output (h + pad - r) / stride through tap r. Taps are visited in descending order, because
// outputs are visited in ascending order.
Gather gather_backward_whole(const Conv2dGeometry& g) {
  return {.convolution = {.images = g.n,
                          .h = g.p,
                          .w = g.q,
                          .in = g.k,
                          .rows = g.h,
                          .columns = g.w,
                          .out = g.c,
                          .taps_h = g.r,
                          .taps_w = g.s,
                          .step_h = 1,
                          .step_w = 1,
                          .first_row = g.pad_top - (g.r - 1),
                          .first_column = g.pad_left - (g.s - 1),
                          .spread = g.stride_h,
                          .target_image = g.h * g.w * g.c,
                          .target_row = g.w * g.c,
                          .target_pixel = g.c},
          .weights = {.first = (g.r * g.s - 1) * g.c,
                      .row = -g.s * g.c,
                      .column = -g.c,
                      .in_stride = g.r * g.s * g.c,
                      .out_stride = 1},
          .target = 0};
}

}  // namespace crescendo::CRESCENDO_CPU
