// The sizes in the names of benchmarks, by which results are compared.
#include <doctest/doctest.h>

#include "bench/sizes_text.h"

namespace crescendo::bench {
namespace {

constexpr Conv2dGeometry kConvolution{.n = 32,
                                      .h = 8,
                                      .w = 8,
                                      .c = 64,
                                      .p = 8,
                                      .q = 8,
                                      .k = 48,
                                      .r = 1,
                                      .s = 1,
                                      .stride_h = 1,
                                      .stride_w = 1,
                                      .pad_top = 0,
                                      .pad_left = 0,
                                      .ghost = 32};

template <class Call, class Geometry>
std::string text_on(const Geometry& geometry) {
  Call call{};
  call.geometry = geometry;
  return sizes_text(call);
}

TEST_CASE("a convolution shows both axes, and its output, where they differ") {
  Conv2dGeometry g = kConvolution;
  CHECK(text_on<Conv2dForward>(g) == "n32_h8_w8_c64_k48_r1_s1_t1_p0");
  g.s = 7;
  g.pad_left = 3;
  CHECK(text_on<Conv2dForward>(g) == "n32_h8_w8_c64_k48_r1_s7_t1_p0x3");
  g.q = 7;
  CHECK(text_on<Conv2dForward>(g) == "n32_h8_w8_c64_k48_r1_s7_t1_p0x3_o8x7");
}

TEST_CASE("siblings are one convolution with all filters") {
  const SiblingGradient one{.geometry = kConvolution, .dy = nullptr, .weight = nullptr};
  const SiblingConv2dBackwardData both{.siblings = {one, one}, .dx = nullptr, .write = Write::add};
  CHECK(sizes_text(both) == "n32_h8_w8_c64_k96_r1_s1_t1_p0");
}

TEST_CASE("calls over elements show how many") {
  CHECK(sizes_text(Fill{.n = 10, .value = 0, .to = nullptr}) == "n10");
  Momentum momentum{};
  momentum.step.n = 10;
  CHECK(sizes_text(momentum) == "n10");
  CHECK(text_on<Dropout>(DropoutGeometry{.n = 2, .elements = 5, .key = 0, .layer = 0, .keep = 1}) == "n10");
  CHECK(text_on<GatherImages>(ImageGather{.n = 2, .h = 4, .w = 5, .images = 9, .key = 0, .augment = false}) ==
        "n120");
  ConvertSamples samples{};
  samples.n = 2;
  samples.elements = 5;
  CHECK(sizes_text(samples) == "n10");
}

}  // namespace
}  // namespace crescendo::bench
