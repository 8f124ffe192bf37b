// Pooling. A thread computes whole images; the inner loop runs over the channels of one pixel. The backward
// pass scatters each output's gradient over its window, in the order of the outputs.
#include <cmath>

#include "kernels/cpu/cpu_backend.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// The window of one output, clipped at the borders of x: rows [top, bottom), columns [left, right).
struct Window {
  int64_t top, bottom, left, right;
  int64_t pixels() const { return (bottom - top) * (right - left); }
};

// Returns the window of output (p, q).
Window window_at(const Pool2dGeometry& g, int64_t p, int64_t q) {
  const int64_t top = p * g.stride_h - g.pad_top, left = q * g.stride_w - g.pad_left;
  return {std::max<int64_t>(0, top), std::min(g.h, top + g.r), std::max<int64_t>(0, left),
          std::min(g.w, left + g.s)};
}

// Calls f(window, output pixel) for every window of an image.
template <class F>
void each_window(const Pool2dGeometry& g, int64_t image, const F& f) {
  for (int64_t p = 0; p < g.p; ++p)
    for (int64_t q = 0; q < g.q; ++q) f(window_at(g, p, q), (image * g.p + p) * g.q + q);
}

// Calls f(h * W + w) for every pixel of the window.
template <class F>
void each_pixel(const Pool2dGeometry& g, const Window& window, const F& f) {
  for (int64_t h = window.top; h < window.bottom; ++h)
    for (int64_t w = window.left; w < window.right; ++w) f(h * g.w + w);
}

// Returns the weight of each pixel in the average over a window.
real share(const Pool2dGeometry& g, const Window& window) {
  return real{1} / static_cast<real>(g.count_padding ? g.r * g.s : window.pixels());
}

// Sets dx to zero unless gradients are to be added to it.
void clear(real* dx, int64_t count, Write write) {
  if (write == Write::overwrite) std::fill(dx, dx + count, real{0});
}

}  // namespace

void CpuBackend::compute(const MaxPool2dForward& call) {
  const Pool2dGeometry& g = call.geometry;
  parallel_for(g.n, [&](int64_t image, int) {
    const real* from = values_of(call.x) + image * g.h * g.w * g.c;
    each_window(g, image, [&](const Window& window, int64_t at) {
      real* best = values_of(call.y) + at * g.y_pixel();
      int32_t* winner = call.winners + at * g.c;
      const int64_t first = window.top * g.w + window.left;
      std::copy(from + first * g.c, from + (first + 1) * g.c, best);
      std::fill(winner, winner + g.c, static_cast<int32_t>(first));
      each_pixel(g, window, [&](int64_t pixel) {
        for (int64_t c = 0; c < g.c; ++c) {
          const real v = from[pixel * g.c + c];
          const bool wins =
              v > best[c] || (v != v && best[c] == best[c]);  // the first NaN beats every number
          best[c] = wins ? v : best[c];
          winner[c] = wins ? static_cast<int32_t>(pixel) : winner[c];
        }
      });
    });
  });
}

void CpuBackend::compute(const MaxPool2dBackward& call) {
  const Pool2dGeometry& g = call.geometry;
  const int64_t image_size = g.h * g.w * g.c;
  parallel_for(g.n, [&](int64_t image, int) {
    real* to = values_of(call.dx) + image * image_size;
    clear(to, image_size, call.write);
    each_window(g, image, [&](const Window&, int64_t at) {
      const real* gradient = values_of(call.dy) + at * g.y_pixel();
      const int32_t* winner = call.winners + at * g.c;
      for (int64_t c = 0; c < g.c; ++c) to[winner[c] * g.c + c] += gradient[c];
    });
  });
}

void CpuBackend::compute(const AveragePool2dForward& call) {
  const Pool2dGeometry& g = call.geometry;
  parallel_for(g.n, [&](int64_t image, int) {
    const real* from = values_of(call.x) + image * g.h * g.w * g.c;
    each_window(g, image, [&](const Window& window, int64_t at) {
      real* sum = values_of(call.y) + at * g.c;
      std::fill(sum, sum + g.c, real{0});
      each_pixel(g, window, [&](int64_t pixel) {
        for (int64_t c = 0; c < g.c; ++c) sum[c] += from[pixel * g.c + c];
      });
      for (int64_t c = 0; c < g.c; ++c) sum[c] *= share(g, window);
    });
  });
}

void CpuBackend::compute(const AveragePool2dBackward& call) {
  const Pool2dGeometry& g = call.geometry;
  const int64_t image_size = g.h * g.w * g.c;
  parallel_for(g.n, [&](int64_t image, int) {
    real* to = values_of(call.dx) + image * image_size;
    clear(to, image_size, call.write);
    each_window(g, image, [&](const Window& window, int64_t at) {
      const real factor = share(g, window);
      const real* gradient = values_of(call.dy) + at * g.c;
      each_pixel(g, window, [&](int64_t pixel) {
        for (int64_t c = 0; c < g.c; ++c) to[pixel * g.c + c] += factor * gradient[c];
      });
    });
  });
}

}  // namespace crescendo::CRESCENDO_CPU
