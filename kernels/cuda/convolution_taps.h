// The pairs of pixels that meet in a convolution, along rows and along columns. One description serves the
// forward pass, where outputs gather inputs, and the data gradient, where inputs gather outputs.
#pragma once

#include <cstdint>

#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::cuda {

// One axis. For every tap t, result pixel i adds source pixel first + i * step + t * tap_step, if it exists,
// times the filter at filter_first + t * filter_step.
// Pixel i is stored at place_first + i * place_step of the result.
struct TapAxis {
  int source, result;  // sizes in pixels
  int pixels, taps;    // i < pixels, t < taps
  int first, step, tap_step;
  int filter_first, filter_step;
  int place_first, place_step;

  HD int source_of(int i) const { return first + i * step; }  // at tap 0
  HD int place_of(int i) const { return place_first + i * place_step; }
};

HD inline TapAxis forward_axis(int64_t in, int64_t out, int64_t window, int64_t stride, int64_t pad) {
  return {.source = static_cast<int>(in),
          .result = static_cast<int>(out),
          .pixels = static_cast<int>(out),
          .taps = static_cast<int>(window),
          .first = static_cast<int>(-pad),
          .step = static_cast<int>(stride),
          .tap_step = 1,
          .filter_first = 0,
          .filter_step = 1,
          .place_first = 0,
          .place_step = 1};
}

// Returns the axis of the data gradient for the inputs h with (h + pad) % stride = `parity`. Only the
// filter's taps of that parity meet them, so no product is with a zero between outputs.
HD inline TapAxis backward_axis(int64_t in, int64_t out, int64_t window, int64_t stride, int64_t pad,
                                int64_t parity) {
  const int64_t first = ((parity - pad) % stride + stride) % stride;  // the smallest h
  return {.source = static_cast<int>(out),
          .result = static_cast<int>(in),
          .pixels = static_cast<int>(first < in ? (in - first + stride - 1) / stride : 0),
          .taps = static_cast<int>(parity < window ? (window - parity + stride - 1) / stride : 0),
          .first = static_cast<int>((first + pad - parity) / stride),
          .step = 1,
          .tap_step = -1,
          .filter_first = static_cast<int>(parity),
          .filter_step = static_cast<int>(stride),
          .place_first = static_cast<int>(first),
          .place_step = static_cast<int>(stride)};
}

// Both axes, with channels innermost.
struct Taps {
  TapAxis h, w;
  int channels;  // of the source

  HD int pixels() const { return h.pixels * w.pixels; }  // of an image
  HD int steps_of_sum() const { return h.taps * w.taps * channels; }
  HD int64_t source_image() const { return static_cast<int64_t>(h.source) * w.source * channels; }
};

HD inline Taps forward_taps(const Conv2dGeometry& g) {
  return {forward_axis(g.h, g.p, g.r, g.stride_h, g.pad_top),
          forward_axis(g.w, g.q, g.s, g.stride_w, g.pad_left), static_cast<int>(g.c)};
}

// Returns the taps of one class of inputs; `parity` numbers the stride_h * stride_w classes.
HD inline Taps backward_taps(const Conv2dGeometry& g, int64_t parity) {
  return {backward_axis(g.h, g.p, g.r, g.stride_h, g.pad_top, parity / g.stride_w),
          backward_axis(g.w, g.q, g.s, g.stride_w, g.pad_left, parity % g.stride_w), static_cast<int>(g.k)};
}

// A loader's position in a sum over taps and channels, channels innermost.
struct TapPosition {
  int u = 0, v = 0, channel = 0;

  HD void advance(int channels, const Taps& taps) {
    channel += channels;
    while (channel >= taps.channels) {
      channel -= taps.channels;
      if (++v == taps.w.taps) {
        v = 0;
        ++u;
      }
    }
  }
};

}  // namespace crescendo::cuda
