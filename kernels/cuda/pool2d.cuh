// Pooling, one thread for each element. The backward pass gathers: each pixel of x visits the windows that
// hold it, in the order of the outputs, so no two threads add to one element.
#pragma once

#include "kernels/cuda/launch.h"
#include "kernels/cuda/own_kernels.h"

namespace crescendo::cuda {

// The pixels of x in the window of output (p, q), clipped at the borders:
// rows [top, bottom), columns [left, right).
struct Window {
  int64_t top, bottom, left, right;

  HD Window(const Pool2dGeometry& g, int64_t p, int64_t q)
      : top(p * g.stride_h - g.pad_top),
        bottom(top + g.r),
        left(q * g.stride_w - g.pad_left),
        right(left + g.s) {
    top = top < 0 ? 0 : top;
    left = left < 0 ? 0 : left;
    bottom = bottom > g.h ? g.h : bottom;
    right = right > g.w ? g.w : right;
  }
  HD real share(const Pool2dGeometry& g) const {
    return real{1} / static_cast<real>(g.count_padding ? g.r * g.s : (bottom - top) * (right - left));
  }
};

// Element `index` of a tensor [n, rows, columns, c].
struct PixelPlace {
  int64_t n, row, column, c;
  HD PixelPlace(int64_t index, int64_t rows, int64_t columns, int64_t channels)
      : n(index / channels / columns / rows),
        row(index / channels / columns % rows),
        column(index / channels % columns),
        c(index % channels) {}
};

// The outputs [first, last) along one axis whose windows of `size` hold position i.
struct Outputs {
  int64_t first, last;
  HD Outputs(int64_t i, int64_t pad, int64_t size, int64_t stride, int64_t count) {
    const int64_t end = i + pad;  // last position, in padded coordinates, where such a window starts
    first = end < size ? 0 : (end - size) / stride + 1;
    last = end / stride + 1;
    last = last > count ? count : last;
  }
};

// Calls f(window, its output pixel) for every window that holds the pixel, in order.
template <class F>
HD void each_window_over(const Pool2dGeometry& g, const PixelPlace& at, const F& f) {
  const Outputs rows(at.row, g.pad_top, g.r, g.stride_h, g.p),
      columns(at.column, g.pad_left, g.s, g.stride_w, g.q);
  for (int64_t p = rows.first; p < rows.last; ++p)
    for (int64_t q = columns.first; q < columns.last; ++q) f(Window(g, p, q), (at.n * g.p + p) * g.q + q);
}

template <class T>
void OwnKernels<T>::compute(const MaxPool2dForward& call) {
  const Pool2dGeometry& g = call.geometry;
  each(stream(), g.n * g.p * g.q * g.c,
       [g, y_pixel = g.y_pixel(), x = values_of(call.x), y = values_of(call.y),
        winners = call.winners] __device__(int64_t index) {
         const PixelPlace at(index, g.p, g.q, g.c);
         const Window window(g, at.row, at.column);
         const T* image = x + at.n * g.h * g.w * g.c + at.c;
         int64_t winner = window.top * g.w + window.left;
         real best = image[winner * g.c];
         for (int64_t h = window.top; h < window.bottom; ++h)
           for (int64_t w = window.left; w < window.right; ++w) {
             const real v = image[(h * g.w + w) * g.c];
             if (v > best || (v != v && best == best)) {  // the first NaN beats every number
               best = v;
               winner = h * g.w + w;
             }
           }
         y[index / g.c * y_pixel + at.c] = T(best);
         winners[index] = static_cast<int32_t>(winner);
       });
}

template <class T>
void OwnKernels<T>::compute(const MaxPool2dBackward& call) {
  const Pool2dGeometry& g = call.geometry;
  each_write(
      stream(), g.n * g.h * g.w * g.c, call.write, values_of(call.dx),
      [g, dy_pixel = g.y_pixel(), dy = values_of(call.dy), winners = call.winners] __device__(int64_t index) {
        const PixelPlace at(index, g.h, g.w, g.c);
        const int64_t pixel = at.row * g.w + at.column;
        real sum = 0;
        each_window_over(g, at, [&](const Window&, int64_t output) {
          if (winners[output * g.c + at.c] == pixel) sum += dy[output * dy_pixel + at.c];
        });
        return sum;
      });
}

template <class T>
void OwnKernels<T>::compute(const AveragePool2dForward& call) {
  const Pool2dGeometry& g = call.geometry;
  each(stream(), g.n * g.p * g.q * g.c,
       [g, x = values_of(call.x), y = values_of(call.y)] __device__(int64_t index) {
         const PixelPlace at(index, g.p, g.q, g.c);
         const Window window(g, at.row, at.column);
         const T* image = x + at.n * g.h * g.w * g.c + at.c;
         real sum = 0;
         for (int64_t h = window.top; h < window.bottom; ++h)
           for (int64_t w = window.left; w < window.right; ++w) sum += image[(h * g.w + w) * g.c];
         y[index] = T(sum * window.share(g));
       });
}

template <class T>
void OwnKernels<T>::compute(const AveragePool2dBackward& call) {
  const Pool2dGeometry& g = call.geometry;
  each_write(stream(), g.n * g.h * g.w * g.c, call.write, values_of(call.dx),
             [g, dy = values_of(call.dy)] __device__(int64_t index) {
               const PixelPlace at(index, g.h, g.w, g.c);
               real sum = 0;
               each_window_over(g, at, [&](const Window& window, int64_t output) {
                 sum += window.share(g) * dy[output * g.c + at.c];
               });
               return sum;
             });
}

}  // namespace crescendo::cuda
