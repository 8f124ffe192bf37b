// How much a kernel has to do, by definition, and a short name of its sizes: what benchmarks and breakdowns
// share.
#pragma once

#include <fmt/format.h>

#include <string>

#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::bench {

// Multiply-adds of the direct definition, whatever the algorithm, and the bytes of all operands, each touched
// once.
struct Work {
  double multiply_adds = 0, bytes = 0;
};

inline double bytes_of_reals(int64_t count) { return static_cast<double>(count) * sizeof(real); }

// Any of the three passes: each reads two of x, weight and y and writes the third.
inline Work work_of(const Conv2dGeometry& g) {
  const int64_t elements = g.n * g.h * g.w * g.c + g.k * g.r * g.s * g.c + g.n * g.p * g.q * g.k;
  return {static_cast<double>(g.multiply_adds()), bytes_of_reals(elements)};
}
inline Work work_of(const LinearGeometry& g) {
  return {static_cast<double>(g.multiply_adds()), bytes_of_reals(g.n * g.in + g.in * g.out + g.n * g.out)};
}
// `activations` tensors of n elements.
inline Work streaming(int64_t n, int tensors) { return {0, bytes_of_reals(n) * tensors}; }
inline Work work_of(const BatchNormGeometry& g, int tensors) {
  return streaming(g.n * g.pixels * g.c, tensors);
}
inline Work work_of(const BiasGeometry& g) { return streaming(g.n * g.pixels * g.c, 1); }
// An element of y takes a real and, where winners are kept, an index.
inline Work work_of(const Pool2dGeometry& g, bool winners) {
  const int64_t outputs = g.n * g.p * g.q * g.c;
  const double indices = winners ? static_cast<double>(outputs) * sizeof(int32_t) : 0;
  return {0, bytes_of_reals(g.n * g.h * g.w * g.c + outputs) + indices};
}
inline Work work_of(const CrossEntropyGeometry& g, int tensors) {
  return streaming(g.n * g.classes, tensors);
}

// "1" or, where the axes differ, "1x2".
inline std::string axes(int64_t vertical, int64_t horizontal) {
  return vertical == horizontal ? fmt::to_string(vertical) : fmt::format("{}x{}", vertical, horizontal);
}

// "n32_h8_w8_c64_k64_r3_s3_t1_p1": t stride, p padding above and left; "_o5x5" the output's rows and columns
// where the padding below or right is not the same.
inline std::string text_of(const Conv2dGeometry& g) {
  std::string text = fmt::format("n{}_h{}_w{}_c{}_k{}_r{}_s{}_t{}_p{}", g.n, g.h, g.w, g.c, g.k, g.r, g.s,
                                 axes(g.stride_h, g.stride_w), axes(g.pad_top, g.pad_left));
  const int64_t p = (g.h + 2 * g.pad_top - g.r) / g.stride_h + 1;
  const int64_t q = (g.w + 2 * g.pad_left - g.s) / g.stride_w + 1;
  if (p != g.p || q != g.q) text += fmt::format("_o{}x{}", g.p, g.q);
  return text;
}
inline std::string text_of(const LinearGeometry& g) {
  return fmt::format("n{}_in{}_out{}", g.n, g.in, g.out);
}
inline std::string text_of(const BatchNormGeometry& g) {
  return fmt::format("n{}_pixels{}_c{}_ghost{}{}", g.n, g.pixels, g.c, g.ghost, g.relu ? "_relu" : "");
}
inline std::string text_of(const BiasGeometry& g) {
  return fmt::format("n{}_pixels{}_c{}_ghost{}", g.n, g.pixels, g.c, g.ghost);
}
inline std::string text_of(const Pool2dGeometry& g) {
  return fmt::format("n{}_h{}_w{}_c{}_r{}_s{}_t{}_p{}_o{}x{}{}", g.n, g.h, g.w, g.c, g.r, g.s,
                     axes(g.stride_h, g.stride_w), axes(g.pad_top, g.pad_left), g.p, g.q,
                     g.count_padding ? "_counted" : "");
}
inline std::string text_of(const CrossEntropyGeometry& g) {
  return fmt::format("n{}_classes{}{}", g.n, g.classes, g.smoothing > 0 ? "_smoothed" : "");
}
inline std::string text_of(const ChannelSlice& g) {
  return fmt::format("rows{}_c{}_from{}_to{}", g.rows, g.count, g.from_channels, g.to_channels);
}
inline std::string text_of(int64_t n) { return fmt::format("n{}", n); }

}  // namespace crescendo::bench
