// Linear layers and biases.
#pragma once

#include <string_view>
#include <variant>

#include "kernels/geometry.h"
#include "kernels/real.h"
#include "kernels/work.h"

namespace crescendo {

// y = x * weight^T + bias
struct LinearForward {
  static constexpr std::string_view kName = "linear_forward";
  LinearGeometry geometry;
  const activation* x;       // [n,in]
  const activation* weight;  // [out,in]
  const real* bias;          // [out], or null
  activation* y;             // [n,out]

  Work work() const { return pass_work(geometry); }
  bool operator==(const LinearForward&) const = default;
};

// Let f = sum(y * dy): dx (=|+=) df/dx.
struct LinearBackwardData {
  static constexpr std::string_view kName = "linear_backward_data";
  LinearGeometry geometry;
  const activation* dy;      // [n,out]
  const activation* weight;  // [out,in]
  activation* dx;            // [n,in]
  Write write;

  Work work() const { return pass_work(geometry); }
  bool operator==(const LinearBackwardData&) const = default;
};

// Let f = sum(y * dy): dweight (=|+=) df/dweight, one ghost batch after another, or each by itself.
struct LinearBackwardWeight {
  static constexpr std::string_view kName = "linear_backward_weight";
  LinearGeometry geometry;
  const activation* x;   // [n,in]
  const activation* dy;  // [n,out]
  real* dweight;         // [out,in]
  Write write;
  int64_t ghost_stride = 0;  // from one ghost batch's gradient to the next, in elements; 0: they are added up

  Work work() const { return weight_pass_work(geometry); }
  bool operator==(const LinearBackwardWeight&) const = default;
};

// dbias[c] (=|+=) sum over n, pixels of dy[n,pixels,c], one ghost batch after another, or each by
// itself: the gradient of the bias of a convolution or a linear layer.
struct BiasBackward {
  static constexpr std::string_view kName = "bias_backward";
  BiasGeometry geometry;
  const activation* dy;  // [n,pixels,c]
  real* dbias;           // [c]
  Write write;
  int64_t ghost_stride = 0;  // from one ghost batch's gradient to the next, in elements; 0: they are added up

  Work work() const { return streaming(geometry.n * geometry.pixels * geometry.c, 1); }
  bool operator==(const BiasBackward&) const = default;
};

using LinearCalls = std::variant<LinearForward, LinearBackwardData, LinearBackwardWeight, BiasBackward>;

}  // namespace crescendo
