// How much a kernel has to do, by definition, and a short name of its sizes: what benchmarks and breakdowns
// share.
#pragma once

#include <fmt/format.h>

#include <string>

#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::bench {

// Multiply-adds of the direct definition, whatever the algorithm, and the elements of all operands by their
// type, each touched once.
struct Work {
  double multiply_adds = 0;
  double activations = 0, reals = 0, indices = 0;  // int32: winners of a pool
  double copies = 0;  // of parameters in the activation type, which there are where that is not real

  double bytes(size_t activation_bytes) const {
    const double as_activations = activations + (activation_bytes != sizeof(real) ? copies : 0);
    return as_activations * static_cast<double>(activation_bytes) + reals * sizeof(real) +
           indices * sizeof(int32_t);
  }
};

// `tensors` tensors of n elements.
inline Work streaming(int64_t n, int tensors) { return {.activations = static_cast<double>(n) * tensors}; }
inline Work streaming_reals(int64_t n, int tensors) { return {.reals = static_cast<double>(n) * tensors}; }
// An optimizer's, over so many stores of n reals.
inline Work work_of_update(int64_t n, int stores) {
  return {.reals = static_cast<double>(n) * stores, .copies = static_cast<double>(n)};
}
// A transfer between the host's reals and activations.
inline Work work_of_transfer(int64_t n) {
  return {.activations = static_cast<double>(n), .reals = static_cast<double>(n)};
}

// A forward or data pass: it reads two of x, weight and y and writes the third.
inline Work work_of(const Conv2dGeometry& g) {
  const int64_t elements = g.n * g.h * g.w * g.c + g.k * g.r * g.s * g.c + g.n * g.p * g.q * g.k;
  return {.multiply_adds = static_cast<double>(g.multiply_adds()),
          .activations = static_cast<double>(elements)};
}
inline Work work_of(const LinearGeometry& g) {
  const int64_t elements = g.n * g.in + g.in * g.out + g.n * g.out;
  return {.multiply_adds = static_cast<double>(g.multiply_adds()),
          .activations = static_cast<double>(elements)};
}
// The same, but that the weight's gradient is of reals.
inline Work with_real_weights(Work work, int64_t weights) {
  work.activations -= static_cast<double>(weights);
  work.reals += static_cast<double>(weights);
  return work;
}
inline Work work_of_weight_pass(const Conv2dGeometry& g) {
  return with_real_weights(work_of(g), g.k * g.r * g.s * g.c);
}
inline Work work_of_weight_pass(const LinearGeometry& g) {
  return with_real_weights(work_of(g), g.in * g.out);
}
inline Work work_of(const BatchNormGeometry& g, int tensors) {
  return streaming(g.n * g.pixels * g.c, tensors);
}
inline Work work_of(const BiasGeometry& g) { return streaming(g.n * g.pixels * g.c, 1); }
// An element of y takes an activation and, where winners are kept, an index.
inline Work work_of(const Pool2dGeometry& g, bool winners) {
  const int64_t outputs = g.n * g.p * g.q * g.c;
  return {.activations = static_cast<double>(g.n * g.h * g.w * g.c + outputs),
          .indices = winners ? static_cast<double>(outputs) : 0};
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
