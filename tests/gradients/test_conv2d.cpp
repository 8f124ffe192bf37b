// conv2d: gradients of x, weight and bias.
#include "cases/conv2d.h"
#include "gradients/check_gradients.h"

namespace crescendo::test {
namespace {

Conv2dOptions options_of(const Conv2dGeometry& g) {
  return {.stride_h = g.stride_h,
          .stride_w = g.stride_w,
          .padding = {.top = g.pad_top,
                      .bottom = padding_after(g.p, g.stride_h, g.r, g.pad_top, g.h),
                      .left = g.pad_left,
                      .right = padding_after(g.q, g.stride_w, g.s, g.pad_left, g.w)}};
}

}  // namespace

TEST_CASE("conv2d: gradients equal central differences") {
  const Device device = Device::cpu(2);
  bool with_bias = true;  // every other case
  for (const Conv2dCase& test : conv2d_cases()) {
    CAPTURE(std::string(test.name));
    const Conv2dGeometry& g = test.geometry;
    const Conv2dOptions options = options_of(g);
    const Tensor x = random_activations(device, {g.n, g.h, g.w, g.c}, 1);
    const Tensor weight = random_weight(device, {g.k, g.r, g.s, g.c}, 2);
    const Tensor bias = with_bias ? random_reals(device, {g.k}, 3) : Tensor();
    std::vector<Tensor> inputs{x, weight};
    if (with_bias) inputs.push_back(bias);
    GradientCheck(inputs, [&](Tape& tape) { return conv2d(tape, x, weight, options, bias); },
                  {.ghost = g.ghost})
        .reduction_length(g.r * g.s * g.c)
        .run();
    with_bias = !with_bias;
  }
}

TEST_CASE("conv2d: gradients through what its result joins") {
  const Device device = Device::cpu(2);
  // Biases that keep every sum away from the ReLU's kink.
  const auto far_from_zero = [&](int64_t channels) {
    std::vector<real> values(static_cast<size_t>(channels));
    for (size_t i = 0; i < values.size(); ++i) values[i] = i % 2 == 0 ? real{20} : real{-20};
    return make_reals(device, {channels}, values);
  };
  const Tensor x = random_activations(device, {4, 3, 5, 3}, 1);
  const Tensor weight = random_weight(device, {6, 1, 1, 3}, 2), bias = far_from_zero(6);
  const Tensor residual = random_activations(device, {4, 3, 5, 6}, 4);
  for (const bool relu : {false, true})
    for (const double factor : {1.0, -0.17})
      for (const Tensor& joined : {residual, Tensor()}) {
        CAPTURE(relu);
        CAPTURE(factor);
        CAPTURE(joined.defined());
        std::vector<Tensor> inputs{x, weight, bias};
        if (joined.defined()) inputs.push_back(joined);
        const ResidualSum join{.residual = joined, .factor = factor, .relu = relu};
        GradientCheck(inputs, [&](Tape& tape) { return conv2d(tape, x, weight, {}, bias, join); },
                      {.ghost = 2})
            .reduction_length(3)
            .run();
      }
}

TEST_CASE("conv2d: gradients of a tensor that is both convolved and joined") {
  const Device device = Device::cpu(2);
  const Tensor x = random_activations(device, {2, 3, 5, 3}, 1),
               weight = random_weight(device, {3, 1, 1, 3}, 2);
  const ResidualSum join{.residual = x, .factor = 0.5};
  GradientCheck({x, weight}, [&](Tape& tape) { return conv2d(tape, x, weight, {}, {}, join); })
      .reduction_length(3)
      .run();
}

TEST_CASE("sibling_conv2d: gradients equal central differences") {
  const Device device = Device::cpu(2);
  const Tensor x = random_activations(device, {2, 3, 5, 4}, 1);
  const std::vector<Tensor> weights{random_weight(device, {3, 1, 1, 4}, 2),
                                    random_weight(device, {1, 1, 1, 4}, 3),
                                    random_weight(device, {5, 1, 1, 4}, 4)};
  std::vector<Tensor> inputs = weights;
  inputs.push_back(x);
  GradientCheck(inputs, [&](Tape& tape) { return concat_channels(tape, sibling_conv2d(tape, x, weights)); },
                {.ghost = 1})
      .reduction_length(4)
      .run();
}

TEST_CASE("conv2d: one weight used twice receives the sum of both gradients") {
  const Device device = Device::cpu(1);
  const Tensor x = random_activations(device, {2, 4, 4, 3}, 1);
  const Tensor weight = random_weight(device, {3, 3, 3, 3}, 2);
  const Conv2dOptions same{.padding = Padding::all(1)};
  GradientCheck({x, weight},
                [&](Tape& tape) { return conv2d(tape, conv2d(tape, x, weight, same), weight, same); })
      .reduction_length(2 * 27)
      .run();
}

}  // namespace crescendo::test
