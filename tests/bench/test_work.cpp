// Bytes that a kernel moves by definition, where activations are reals and where they are half as wide.
#include <doctest/doctest.h>

#include "bench/work.h"

namespace crescendo::bench {
namespace {

constexpr size_t kReal = sizeof(real), kHalf = kReal / 2;
// 2 images of 4 x 4 pixels, 3 -> 5 channels, 3 x 3 filter: x of 96 elements, y of 160, weight of 135.
constexpr Conv2dGeometry kConvolution{.n = 2,
                                      .h = 4,
                                      .w = 4,
                                      .c = 3,
                                      .p = 4,
                                      .q = 4,
                                      .k = 5,
                                      .r = 3,
                                      .s = 3,
                                      .stride_h = 1,
                                      .stride_w = 1,
                                      .pad_top = 1,
                                      .pad_left = 1,
                                      .ghost = 2};

TEST_CASE("a convolution moves activations, but its weight's gradient is of reals") {
  CHECK(work_of(kConvolution).bytes(kReal) == (96 + 160 + 135) * kReal);
  CHECK(work_of(kConvolution).bytes(kHalf) == (96 + 160 + 135) * kHalf);
  CHECK(work_of_weight_pass(kConvolution).bytes(kReal) == (96 + 160 + 135) * kReal);
  CHECK(work_of_weight_pass(kConvolution).bytes(kHalf) == (96 + 160) * kHalf + 135 * kReal);
  CHECK(work_of_weight_pass(kConvolution).multiply_adds == kConvolution.multiply_adds());
}

TEST_CASE("a linear layer's weight pass likewise") {
  const LinearGeometry g{.n = 7, .in = 5, .out = 3, .ghost = 7};
  CHECK(work_of_weight_pass(g).bytes(kHalf) == (35 + 21) * kHalf + 15 * kReal);
}

TEST_CASE("an optimizer also writes a copy where activations are no reals") {
  CHECK(work_of_update(10, 5).bytes(kReal) == 50 * kReal);
  CHECK(work_of_update(10, 5).bytes(kHalf) == 50 * kReal + 10 * kHalf);
}

TEST_CASE("transfers, streams and winners") {
  CHECK(work_of_transfer(10).bytes(kHalf) == 10 * kReal + 10 * kHalf);
  CHECK(streaming(10, 3).bytes(kHalf) == 30 * kHalf);
  CHECK(streaming_reals(10, 3).bytes(kHalf) == 30 * kReal);
  const Pool2dGeometry pool{.n = 1,
                            .h = 4,
                            .w = 4,
                            .c = 2,
                            .p = 2,
                            .q = 2,
                            .r = 2,
                            .s = 2,
                            .stride_h = 2,
                            .stride_w = 2,
                            .pad_top = 0,
                            .pad_left = 0,
                            .count_padding = false};
  CHECK(work_of(pool, true).bytes(kHalf) == (32 + 8) * kHalf + 8 * sizeof(int32_t));
  CHECK(work_of(pool, false).bytes(kHalf) == (32 + 8) * kHalf);
}

}  // namespace
}  // namespace crescendo::bench
