// A linear layer is a convolution of images of one pixel.
#include "kernels/cpu/cpu_backend.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

Conv2dGeometry as_convolution(const LinearGeometry& g) {
  return {.n = g.n,
          .h = 1,
          .w = 1,
          .c = g.in,
          .p = 1,
          .q = 1,
          .k = g.out,
          .r = 1,
          .s = 1,
          .stride_h = 1,
          .stride_w = 1,
          .pad_top = 0,
          .pad_left = 0,
          .ghost = g.ghost};
}

}  // namespace

size_t CpuBackend::workspace(const LinearGeometry& g) const { return workspace(as_convolution(g)); }

void CpuBackend::linear_forward(const LinearGeometry& g, const activation* x, const activation* weight,
                                const real* bias, activation* y) {
  conv2d_forward(as_convolution(g), x, {weight}, {.bias = bias}, y);
}

void CpuBackend::linear_backward_data(const LinearGeometry& g, const activation* dy, const activation* weight,
                                      activation* dx, Write write) {
  conv2d_backward_data(as_convolution(g), dy, weight, dx, write);
}

void CpuBackend::linear_backward_weight(const LinearGeometry& g, const activation* x, const activation* dy,
                                        real* dweight, Write write) {
  conv2d_backward_weight(as_convolution(g), x, dy, dweight, write);
}

}  // namespace crescendo::CRESCENDO_CPU
