#include "sizes_text.h"

#include <fmt/format.h>

namespace crescendo::bench {
namespace {

// Returns "1" or, if the axes differ, "1x2".
std::string axes(int64_t vertical, int64_t horizontal) {
  return vertical == horizontal ? fmt::to_string(vertical) : fmt::format("{}x{}", vertical, horizontal);
}

std::string text_of(const Conv2dGeometry& g) {
  std::string text = fmt::format("n{}_h{}_w{}_c{}_k{}_r{}_s{}_t{}_p{}", g.n, g.h, g.w, g.c, g.k, g.r, g.s,
                                 axes(g.stride_h, g.stride_w), axes(g.pad_top, g.pad_left));
  const int64_t p = (g.h + 2 * g.pad_top - g.r) / g.stride_h + 1;
  const int64_t q = (g.w + 2 * g.pad_left - g.s) / g.stride_w + 1;
  if (p != g.p || q != g.q) text += fmt::format("_o{}x{}", g.p, g.q);
  return text;
}
std::string text_of(const LinearGeometry& g) { return fmt::format("n{}_in{}_out{}", g.n, g.in, g.out); }
std::string text_of(const BatchNormGeometry& g) {
  return fmt::format("n{}_pixels{}_c{}_ghost{}{}", g.n, g.pixels, g.c, g.ghost, g.relu ? "_relu" : "");
}
std::string text_of(const BiasGeometry& g) {
  return fmt::format("n{}_pixels{}_c{}_ghost{}", g.n, g.pixels, g.c, g.ghost);
}
std::string text_of(const Pool2dGeometry& g) {
  return fmt::format("n{}_h{}_w{}_c{}_r{}_s{}_t{}_p{}_o{}x{}{}", g.n, g.h, g.w, g.c, g.r, g.s,
                     axes(g.stride_h, g.stride_w), axes(g.pad_top, g.pad_left), g.p, g.q,
                     g.count_padding ? "_counted" : "");
}
std::string text_of(const CrossEntropyGeometry& g) {
  return fmt::format("n{}_classes{}{}", g.n, g.classes, g.smoothing > 0 ? "_smoothed" : "");
}
std::string text_of(const ChannelSlice& g) {
  return fmt::format("rows{}_c{}_from{}_to{}", g.rows, g.count, g.from_channels, g.to_channels);
}
std::string text_of(const DropoutGeometry& g) { return sizes_text(g.n * g.elements); }
std::string text_of(const ImageGather& g) { return sizes_text(g.n * g.h * g.w * 3); }
std::string text_of(const SampleCount& g) { return sizes_text(g.n); }

}  // namespace

std::string sizes_text(int64_t n) { return fmt::format("n{}", n); }

std::string sizes_text(const KernelCall& call) {
  return std::visit(
      [](const auto& one) {
        if constexpr (requires { one.siblings; })
          return text_of(as_one(one.siblings));
        else if constexpr (requires { one.geometry; })
          return text_of(one.geometry);
        else if constexpr (requires { one.step; })
          return sizes_text(one.step.n);
        else if constexpr (requires { one.elements; })  // of each of n samples
          return sizes_text(one.n * one.elements);
        else if constexpr (requires { one.n; })
          return sizes_text(one.n);
        else
          return sizes_text(1);
      },
      call);
}

}  // namespace crescendo::bench
