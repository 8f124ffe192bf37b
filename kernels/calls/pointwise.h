// Calls that compute each element by itself, with the formulas of kernels/pointwise.h,
// and copies of channels.
#pragma once

#include <string_view>
#include <variant>

#include "kernels/geometry.h"
#include "kernels/pointwise.h"
#include "kernels/real.h"
#include "kernels/work.h"

namespace crescendo {

// An elementwise call has a member elementwise(run), which calls run(formula, write, output, inputs...) once:
// output[i] (=|+=) formula(inputs[i]...) for i < n. One generic kernel per backend computes all of them. (The
// concept tries it with a struct, because nvcc rejects a lambda there and takes no call for elementwise.)
struct IgnoreElements {
  void operator()(const auto&...) const {}
};
template <class Call>
concept Elementwise = requires(const Call& call) {
  call.elementwise(IgnoreElements());
};

// y = max(0, x); NaN stays NaN.
struct ReluForward {
  static constexpr std::string_view kName = "relu_forward";
  int64_t n;            // elements
  const activation* x;  // [n]
  activation* y;        // [n]; may be x

  template <class Run>
  void elementwise(const Run& run) const {
    run(ReluOf(), Write::overwrite, y, x);
  }
  Work work() const { return streaming(n, 2); }
  bool operator==(const ReluForward&) const = default;
};

// dx (=|+=) 0 where y <= 0, else dy: a NaN in y lets dy through.
struct ReluBackward {
  static constexpr std::string_view kName = "relu_backward";
  int64_t n;             // elements
  const activation* y;   // [n], from ReluForward
  const activation* dy;  // [n]
  activation* dx;        // [n]
  Write write;

  template <class Run>
  void elementwise(const Run& run) const {
    run(ReluGradient(), write, dx, y, dy);
  }
  Work work() const { return streaming(n, 3); }
  bool operator==(const ReluBackward&) const = default;
};

// y = a + factor * b
struct ScaleAdd {
  static constexpr std::string_view kName = "scale_add";
  int64_t n;            // elements
  const activation* a;  // [n]
  double factor;
  const activation* b;  // [n]
  activation* y;        // [n]

  template <class Run>
  void elementwise(const Run& run) const {
    run(ScaledSum(factor), Write::overwrite, y, a, b);
  }
  Work work() const { return streaming(n, 3); }
  bool operator==(const ScaleAdd&) const = default;
};

// y (=|+=) factor * x
struct Scale {
  static constexpr std::string_view kName = "scale";
  int64_t n;  // elements
  double factor;
  const activation* x;  // [n]
  activation* y;        // [n]
  Write write;

  template <class Run>
  void elementwise(const Run& run) const {
    run(ScaledBy(factor), write, y, x);
  }
  Work work() const { return streaming(n, 2); }
  bool operator==(const Scale&) const = default;
};

// to = value
struct Fill {
  static constexpr std::string_view kName = "fill";
  int64_t n;
  double value;
  real* to;  // [n]

  template <class Run>
  void elementwise(const Run& run) const {
    run(Constant(value), Write::overwrite, to);
  }
  Work work() const { return streaming_reals(n, 1); }
  bool operator==(const Fill&) const = default;
};

// to = value
struct FillActivations {
  static constexpr std::string_view kName = "fill_activations";
  int64_t n;
  double value;
  activation* to;  // [n]

  template <class Run>
  void elementwise(const Run& run) const {
    run(Constant(value), Write::overwrite, to);
  }
  Work work() const { return streaming(n, 1); }
  bool operator==(const FillActivations&) const = default;
};

// to = keep * to + weight * from
struct Blend {
  static constexpr std::string_view kName = "blend";
  int64_t n;
  double keep;
  double weight;
  const real* from;  // [n]
  real* to;          // [n]

  template <class Run>
  void elementwise(const Run& run) const {
    run(Blended(keep, weight), Write::overwrite, to, static_cast<const real*>(to), from);
  }
  Work work() const { return streaming_reals(n, 3); }
  bool operator==(const Blend&) const = default;
};

// ---- More than the elements decide

// y (=|+=) x / keep where an element is kept, 0 where it is dropped. Its gradient is the same call on dy.
struct Dropout {
  static constexpr std::string_view kName = "dropout";
  DropoutGeometry geometry;
  const StepCounters* counters;  // position of image 0 in the run; null: 0
  const activation* x;           // [n,elements]
  activation* y;                 // [n,elements]
  Write write;

  Work work() const { return streaming(geometry.n * geometry.elements, 2); }
  bool operator==(const Dropout&) const = default;
};

// to[row, to_offset + i] (=|+=) from[row, from_offset + i] for i < count.
struct CopyChannels {
  static constexpr std::string_view kName = "copy_channels";
  ChannelSlice geometry;
  const activation* from;  // [rows,from_channels]
  activation* to;          // [rows,to_channels]
  Write write;

  Work work() const { return streaming(geometry.rows * geometry.count, 2); }
  bool operator==(const CopyChannels&) const = default;
};

using PointwiseCalls = std::variant<ReluForward, ReluBackward, ScaleAdd, Scale, Fill, FillActivations, Blend,
                                    Dropout, CopyChannels>;

}  // namespace crescendo
