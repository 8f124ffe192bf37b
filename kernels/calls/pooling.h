// Pooling. x [n,h,w,c], y [n,p,q,c].
#pragma once

#include <string_view>
#include <variant>

#include "kernels/geometry.h"
#include "kernels/real.h"
#include "kernels/work.h"

namespace crescendo {

inline Work pooling_work(const Pool2dGeometry& g, bool winners) {
  const int64_t outputs = g.n * g.p * g.q * g.c;
  return {.activations = g.n * g.h * g.w * g.c + outputs, .indices = winners ? outputs : 0};
}

// y = the maximum of each window: NaN if the window has one, the first of equals otherwise.
struct MaxPool2dForward {
  static constexpr std::string_view kName = "max_pool2d_forward";
  Pool2dGeometry geometry;
  const activation* x;  // [n,h,w,c]
  activation* y;        // [n,p,q,c]
  int32_t* winners;     // [n,p,q,c]: row * w + column of each maximum

  Work work() const { return pooling_work(geometry, true); }
  bool operator==(const MaxPool2dForward&) const = default;
};

// Let f = sum(y * dy): dx (=|+=) df/dx.
struct MaxPool2dBackward {
  static constexpr std::string_view kName = "max_pool2d_backward";
  Pool2dGeometry geometry;
  const activation* dy;    // [n,p,q,c]
  const int32_t* winners;  // [n,p,q,c], from MaxPool2dForward
  activation* dx;          // [n,h,w,c]
  Write write;

  Work work() const { return pooling_work(geometry, true); }
  bool operator==(const MaxPool2dBackward&) const = default;
};

// y = the mean of each window.
struct AveragePool2dForward {
  static constexpr std::string_view kName = "average_pool2d_forward";
  Pool2dGeometry geometry;
  const activation* x;  // [n,h,w,c]
  activation* y;        // [n,p,q,c]

  Work work() const { return pooling_work(geometry, false); }
  bool operator==(const AveragePool2dForward&) const = default;
};

// Let f = sum(y * dy): dx (=|+=) df/dx.
struct AveragePool2dBackward {
  static constexpr std::string_view kName = "average_pool2d_backward";
  Pool2dGeometry geometry;
  const activation* dy;  // [n,p,q,c]
  activation* dx;        // [n,h,w,c]
  Write write;

  Work work() const { return pooling_work(geometry, false); }
  bool operator==(const AveragePool2dBackward&) const = default;
};

using PoolingCalls =
    std::variant<MaxPool2dForward, MaxPool2dBackward, AveragePool2dForward, AveragePool2dBackward>;

}  // namespace crescendo
