// norm_conv2d: gradients of x, scale, shift, weight and residual, fused and as three ops.
#include "cases/conv2d.h"
#include "gradients/check_gradients.h"

namespace crescendo::test {

TEST_CASE("norm_conv2d: gradients equal central differences") {
  for (const auto algorithm : {ConvolutionAlgorithm::winograd, ConvolutionAlgorithm::direct}) {
    const Device device = Device::cpu(2, algorithm);
    for (const Conv2dCase& test : conv2d_cases()) {
      const Conv2dGeometry& g = test.geometry;
      if (g.r != 3 || g.n * g.h * g.w * g.c > 4000) continue;
      CAPTURE(test.name);
      const auto statistic = [&](double value) {
        return make_reals(device, {g.c}, Values(static_cast<size_t>(g.c), value));
      };
      const Tensor x = random_activations(device, {g.n, g.h, g.w, g.c}, 1),
                   weight = random_weight(device, {g.k, g.r, g.s, g.c}, 2),
                   residual = random_activations(device, {g.n, g.p, g.q, g.k}, 3);
      // Without the ReLU, whose kinks some of the values would be too near; its mask has tests of its own.
      const NormLayer norm{random_reals(device, {g.c}, 4),
                           random_reals(device, {g.c}, 5),
                           {statistic(0), statistic(1), statistic(0), statistic(0)},
                           {.epsilon = 0.01, .relu = false}};
      const int64_t below = padding_after(g.p, g.stride_h, g.r, g.pad_top, g.h),
                    right = padding_after(g.q, g.stride_w, g.s, g.pad_left, g.w);
      const Conv2dOptions options{
          .stride_h = g.stride_h, .stride_w = g.stride_w, .padding = {g.pad_top, below, g.pad_left, right}};
      GradientCheck({x, norm.scale, norm.shift, weight, residual},
                    [&](Tape& tape) { return norm_conv2d(tape, x, norm, weight, options, residual).tensor; },
                    {.ghost = g.ghost})
          .reduction_length(g.r * g.s * g.c * g.ghost * g.h * g.w)
          .run();
    }
  }
}

}  // namespace crescendo::test
