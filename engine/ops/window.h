// Windows that slide over an image: what convolution and pooling share.
#pragma once

#include "base/check.h"

namespace crescendo {

// Returns how many positions a window has along one axis. Throws std::invalid_argument, naming the op and the
// axis, if the padding is negative or the padded image is smaller than the window.
inline int64_t window_positions(const char* op, const char* axis, int64_t in, int64_t before, int64_t after,
                                int64_t window, int64_t stride) {
  require(before >= 0 && after >= 0, op, ": negative ", axis, " padding (", before, ", ", after, ")");
  require(in + before + after >= window, op, ": ", axis, " of ", in, " with padding (", before, ", ", after,
          ") is smaller than the window's ", window);
  return (in + before + after - window) / stride + 1;
}

// Sets the rows and columns p and q of the output, and what they follow from. `Geometry` is Conv2dGeometry or
// Pool2dGeometry with h, w, r and s set; `Options` has stride_h, stride_w and padding.
template <class Geometry, class Options>
void set_window_positions(const char* op, const Options& options, Geometry& g) {
  require(options.stride_h >= 1 && options.stride_w >= 1, op, ": stride must be at least 1, got ",
          options.stride_h, " x ", options.stride_w);
  const auto& padding = options.padding;
  g.stride_h = options.stride_h, g.stride_w = options.stride_w;
  g.pad_top = padding.top, g.pad_left = padding.left;
  g.p = window_positions(op, "height", g.h, padding.top, padding.bottom, g.r, g.stride_h);
  g.q = window_positions(op, "width", g.w, padding.left, padding.right, g.s, g.stride_w);
}

}  // namespace crescendo
