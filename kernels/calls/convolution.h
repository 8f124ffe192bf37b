// Convolutions. x [n,h,w,c], weight [k,r,s,c], y [n,p,q,k]; the geometry gives the sizes.
#pragma once

#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "kernels/calls/normalisation.h"
#include "kernels/geometry.h"
#include "kernels/real.h"
#include "kernels/work.h"

namespace crescendo {

// The weights of a forward pass, as stored or, if `packed` is not null, as PackWeight laid them out.
struct ConvolutionWeight {
  const activation* values = nullptr;  // [k,r,s,c]
  const real* packed = nullptr;        // [Backend::packed_weight_size]

  bool operator==(const ConvolutionWeight&) const = default;
};

// The steps between a convolution's sums and the stored y:
//   y = act(norm(sum) + residual), or, without a norm, y = act(factor * (sum + bias) + residual)
// act is ReLU if `relu`, else identity.
struct ConvolutionEpilogue {
  const real* bias = nullptr;  // [k], or null
  double factor = 1;
  std::optional<NormOperands> norm{};    // statistics [1,k]
  double epsilon = 0;                    // of the norm
  const activation* residual = nullptr;  // [n,p,q,k], or null
  bool relu = false;
  // Channels of a pixel of y if y is a slice of larger pixels, which excludes a residual; 0: k.
  int64_t y_channels = 0;

  bool does_nothing() const {
    return bias == nullptr && factor == 1 && !norm && residual == nullptr && !relu;
  }
  bool operator==(const ConvolutionEpilogue&) const = default;
};

// Lays weights out as Conv2dForward multiplies by them. Callers keep the result while the weights stay the
// same. The layout is the same for any n.
struct PackWeight {
  static constexpr std::string_view kName = "pack_weight";
  Conv2dGeometry geometry;
  const activation* weight;  // [k,r,s,c]
  real* packed;              // [Backend::packed_weight_size]

  Work work() const { return {.activations = weight_elements(geometry), .reals = weight_elements(geometry)}; }
  bool operator==(const PackWeight&) const = default;
};

// y = epilogue(x * weight). Where Capabilities::finishes_before_storing, y may be the epilogue's residual.
struct Conv2dForward {
  static constexpr std::string_view kName = "conv2d_forward";
  Conv2dGeometry geometry;
  const activation* x;  // [n,h,w,c]
  ConvolutionWeight weight;
  ConvolutionEpilogue epilogue{};
  activation* y;  // [n,p,q,k]

  Work work() const { return pass_work(geometry); }
  bool operator==(const Conv2dForward&) const = default;
};

// Let f = sum(y * dy): dx (=|+=) df/dx.
struct Conv2dBackwardData {
  static constexpr std::string_view kName = "conv2d_backward_data";
  Conv2dGeometry geometry;
  const activation* dy;      // [n,p,q,k]
  const activation* weight;  // [k,r,s,c]
  activation* dx;            // [n,h,w,c]
  Write write;

  Work work() const { return pass_work(geometry); }
  bool operator==(const Conv2dBackwardData&) const = default;
};

// Let f = sum(y * dy): dweight (=|+=) df/dweight, one ghost batch after another, or each by itself.
struct Conv2dBackwardWeight {
  static constexpr std::string_view kName = "conv2d_backward_weight";
  Conv2dGeometry geometry;
  const activation* x;   // [n,h,w,c]
  const activation* dy;  // [n,p,q,k]
  real* dweight;         // [k,r,s,c]
  Write write;
  int64_t ghost_stride = 0;  // from one ghost batch's gradient to the next, in elements; 0: they are added up

  Work work() const { return weight_pass_work(geometry); }
  bool operator==(const Conv2dBackwardWeight&) const = default;
};

// ---- Siblings: 1x1 convolutions of one x, stride 1, no padding. The results are those of the convolutions
// one by one, to the bit; a backend may read x, and write dx, once for all of them.

// Returns the sizes of siblings as one convolution with the filters of all of them.
template <class Sibling>
Conv2dGeometry as_one(const std::vector<Sibling>& siblings) {
  if (siblings.empty()) return {};
  Conv2dGeometry all = siblings.front().geometry;
  all.k = 0;
  for (const Sibling& sibling : siblings) all.k += sibling.geometry.k;
  return all;
}

struct SiblingConvolution {
  Conv2dGeometry geometry;
  ConvolutionWeight weight;
  ConvolutionEpilogue epilogue{};
  activation* y;  // [n,h,w,k]

  bool operator==(const SiblingConvolution&) const = default;
};

// y_i = epilogue_i(x * weight_i)
struct SiblingConv2dForward {
  static constexpr std::string_view kName = "sibling_conv2d_forward";
  const activation* x;  // [n,h,w,c]
  std::vector<SiblingConvolution> siblings;

  Work work() const { return pass_work(as_one(siblings)); }
  bool operator==(const SiblingConv2dForward&) const = default;
};

struct SiblingGradient {
  Conv2dGeometry geometry;
  const activation* dy;      // [n,h,w,k]
  const activation* weight;  // [k,1,1,c]

  bool operator==(const SiblingGradient&) const = default;
};

// Let f = sum over siblings of sum(y_i * dy_i): dx (=|+=) df/dx, added up in the siblings' order.
struct SiblingConv2dBackwardData {
  static constexpr std::string_view kName = "sibling_conv2d_backward_data";
  std::vector<SiblingGradient> siblings;
  activation* dx;  // [n,h,w,c]
  Write write;

  Work work() const { return pass_work(as_one(siblings)); }
  bool operator==(const SiblingConv2dBackwardData&) const = default;
};

// Calls run(Conv2dForward) for each sibling in order.
template <class Run>
void run_one_by_one(const SiblingConv2dForward& call, const Run& run) {
  for (const auto& [geometry, weight, epilogue, y] : call.siblings)
    run(Conv2dForward{.geometry = geometry, .x = call.x, .weight = weight, .epilogue = epilogue, .y = y});
}

// Calls run(Conv2dBackwardData) for each sibling in order.
template <class Run>
void run_one_by_one(const SiblingConv2dBackwardData& call, const Run& run) {
  Write write = call.write;
  for (const auto& [geometry, dy, weight] : call.siblings) {
    run(Conv2dBackwardData{.geometry = geometry, .dy = dy, .weight = weight, .dx = call.dx, .write = write});
    write = Write::add;
  }
}

// ---- Convolutions of a normalised input, for the geometries that Backend::fuses_norm accepts. The kernel
// normalises x while it reads x; the normalised values are never stored.

// y = conv2d(act(norm(x)), weight) + residual
struct NormConv2dForward {
  static constexpr std::string_view kName = "norm_conv2d_forward";
  Conv2dGeometry geometry;
  BatchNormGeometry norm_geometry;
  const activation* x;         // [n,h,w,c]
  NormOperands norm;           // statistics [ghosts,c]
  const activation* weight;    // [k,r,s,c]
  const activation* residual;  // [n,p,q,k], or null
  activation* y;               // [n,p,q,k]
  real* y_mean;                // [ghosts,k]: the moments of y as GhostMoments computes them; both null
  real* y_variance;            // [ghosts,k]  if not wanted

  Work work() const { return pass_work(geometry); }
  bool operator==(const NormConv2dForward&) const = default;
};

// Let f = sum(y * dy): dweight (=|+=) df/dweight, one ghost batch after another, or each by itself.
struct NormConv2dBackwardWeight {
  static constexpr std::string_view kName = "norm_conv2d_backward_weight";
  Conv2dGeometry geometry;
  BatchNormGeometry norm_geometry;
  const activation* x;   // [n,h,w,c]
  NormOperands norm;     // statistics [ghosts,c]
  const activation* dy;  // [n,p,q,k]
  real* dweight;         // [k,r,s,c]
  Write write;
  int64_t ghost_stride = 0;  // from one ghost batch's gradient to the next, in elements; 0: they are added up

  Work work() const { return weight_pass_work(geometry); }
  bool operator==(const NormConv2dBackwardWeight&) const = default;
};

// Let f = sum(y * dy), where the statistics depend on x: dx (=|+=) df/dx, and likewise dscale and dshift,
// which share one Write because a layer's two parameters are always written together.
struct NormConv2dBackwardData {
  static constexpr std::string_view kName = "norm_conv2d_backward_data";
  Conv2dGeometry geometry;
  BatchNormGeometry norm_geometry;
  const activation* x;       // [n,h,w,c]
  NormOperands norm;         // statistics [ghosts,c]
  const activation* dy;      // [n,p,q,k]
  const activation* weight;  // [k,r,s,c]
  activation* between;       // [n,h,w,c]: room for the gradient between the convolution and the norm
  activation* dx;            // [n,h,w,c]
  Write write_dx;
  real* dscale;  // [c]
  real* dshift;  // [c]
  Write write_parameters;
  // From one ghost batch's gradient to the next, in elements; 0: they are added up.
  int64_t dscale_stride = 0;
  int64_t dshift_stride = 0;

  Work work() const { return pass_work(geometry); }
  bool operator==(const NormConv2dBackwardData&) const = default;
};

using ConvolutionCalls = std::variant<PackWeight, Conv2dForward, Conv2dBackwardData, Conv2dBackwardWeight,
                                      SiblingConv2dForward, SiblingConv2dBackwardData, NormConv2dForward,
                                      NormConv2dBackwardWeight, NormConv2dBackwardData>;

}  // namespace crescendo
