// Convolution, first version: plain loops.
#include "kernels/cpu/cpu_backend.h"

namespace crescendo {

size_t CpuBackend::workspace(const Conv2dGeometry& g) const {
  return static_cast<size_t>(g.k * g.r * g.s * g.c) * sizeof(real);
}

namespace {

// f(place of x's pixel, tap, place of y's pixel) for every pair of one image.
template <class F>
void each_pair(const Conv2dGeometry& g, int64_t image, const F& f) {
  for (int64_t p = 0; p < g.p; ++p)
    for (int64_t q = 0; q < g.q; ++q)
      for (int64_t r = 0; r < g.r; ++r)
        for (int64_t s = 0; s < g.s; ++s) {
          const int64_t h = p * g.stride_h + r - g.pad_top, w = q * g.stride_w + s - g.pad_left;
          if (h < 0 || h >= g.h || w < 0 || w >= g.w) continue;
          f(((image * g.h + h) * g.w + w) * g.c, r * g.s + s, ((image * g.p + p) * g.q + q) * g.k);
        }
}

}  // namespace

void CpuBackend::conv2d_forward(const Conv2dGeometry& g, const activation* x, const activation* weight,
                                const real* bias, activation* y) {
  const int64_t taps = g.r * g.s;
  parallel_for(g.n, [&](int64_t image, int) {
    real* to = values_of(y) + image * g.p * g.q * g.k;
    for (int64_t i = 0; i < g.p * g.q * g.k; ++i) to[i] = bias != nullptr ? bias[i % g.k] : real{0};
    each_pair(g, image, [&](int64_t from, int64_t tap, int64_t at) {
      for (int64_t k = 0; k < g.k; ++k) {
        real sum = 0;
        for (int64_t c = 0; c < g.c; ++c)
          sum += values_of(x)[from + c] * values_of(weight)[(k * taps + tap) * g.c + c];
        values_of(y)[at + k] += sum;
      }
    });
  });
}

void CpuBackend::conv2d_backward_data(const Conv2dGeometry& g, const activation* dy, const activation* weight,
                                      activation* dx, Write write) {
  const int64_t taps = g.r * g.s, image_size = g.h * g.w * g.c;
  parallel_for(g.n, [&](int64_t image, int) {
    real* to = values_of(dx) + image * image_size;
    if (write == Write::overwrite) std::fill(to, to + image_size, real{0});
    each_pair(g, image, [&](int64_t at, int64_t tap, int64_t from) {
      for (int64_t k = 0; k < g.k; ++k)
        for (int64_t c = 0; c < g.c; ++c)
          values_of(dx)[at + c] += values_of(dy)[from + k] * values_of(weight)[(k * taps + tap) * g.c + c];
    });
  });
}

void CpuBackend::conv2d_backward_weight(const Conv2dGeometry& g, const activation* x, const activation* dy,
                                        real* dweight, Write write) {
  const int64_t taps = g.r * g.s, size = g.k * taps * g.c;
  real* partial = workspace_as<real>();
  for (int64_t first = 0; first < g.n; first += g.ghost) {
    std::fill(partial, partial + size, real{0});
    for (int64_t image = first; image < first + g.ghost; ++image)
      each_pair(g, image, [&](int64_t from, int64_t tap, int64_t at) {
        for (int64_t k = 0; k < g.k; ++k)
          for (int64_t c = 0; c < g.c; ++c)
            partial[(k * taps + tap) * g.c + c] += values_of(dy)[at + k] * values_of(x)[from + c];
      });
    const bool replace = first == 0 && write == Write::overwrite;
    each(size, [=](int64_t i) { dweight[i] = replace ? partial[i] : dweight[i] + partial[i]; });
  }
}

}  // namespace crescendo
