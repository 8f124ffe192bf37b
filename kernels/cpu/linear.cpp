// Linear layers, computed as convolutions of images of one pixel.
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

size_t CpuBackend::workspace_for(const LinearGeometry& g) const { return workspace_for(as_convolution(g)); }

void CpuBackend::compute(const LinearForward& c) {
  compute(Conv2dForward{.geometry = as_convolution(c.geometry),
                        .x = c.x,
                        .weight = {c.weight},
                        .epilogue = {.bias = c.bias},
                        .y = c.y});
}

void CpuBackend::compute(const LinearBackwardData& c) {
  compute(Conv2dBackwardData{
      .geometry = as_convolution(c.geometry), .dy = c.dy, .weight = c.weight, .dx = c.dx, .write = c.write});
}

void CpuBackend::compute(const LinearBackwardWeight& c) {
  compute(Conv2dBackwardWeight{.geometry = as_convolution(c.geometry),
                               .x = c.x,
                               .dy = c.dy,
                               .dweight = c.dweight,
                               .write = c.write,
                               .ghost_stride = c.ghost_stride});
}

}  // namespace crescendo::CRESCENDO_CPU
