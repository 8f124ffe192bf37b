// conv2d: gradients of x, weight and bias, over the geometries where implementations go wrong.
#include "gradients/check_gradients.h"

namespace crescendo::test {
namespace {

struct Case {
  std::string name;
  Shape x, weight;  // [n, h, w, c], [k, r, s, c]
  Conv2dOptions options;
  int64_t ghost = 0;
  bool bias = false;
};

const Case kCases[] = {
    {"one by one", {2, 3, 4, 5}, {3, 1, 1, 5}, {}, 0, true},
    {"3x3 same", {2, 5, 4, 3}, {4, 3, 3, 3}, {.padding = Padding::all(1)}},
    {"stride with remainder",
     {1, 8, 7, 3},
     {5, 3, 3, 3},
     {.stride_h = 2, .stride_w = 2, .padding = Padding::all(1)}},
    {"1x1 with stride", {2, 6, 5, 3}, {4, 1, 1, 3}, {.stride_h = 2, .stride_w = 2}},
    {"stride wider than the filter", {1, 7, 9, 2}, {3, 2, 1, 2}, {.stride_h = 3, .stride_w = 4}},
    {"asymmetric padding",
     {1, 5, 6, 2},
     {3, 3, 3, 2},
     {.padding = {.top = 2, .bottom = 0, .left = 0, .right = 1}}},
    {"padding beyond the filter", {1, 2, 2, 1}, {2, 2, 2, 1}, {.padding = Padding::all(3)}},
    {"1x7", {1, 4, 8, 3}, {2, 1, 7, 3}, {.padding = {.left = 3, .right = 3}}},
    {"filter of the image's size", {3, 3, 5, 2}, {4, 3, 5, 2}, {}, 0, true},
    {"two ghosts", {4, 4, 3, 3}, {2, 3, 3, 3}, {.padding = Padding::all(1)}, 2, true},
    {"three ghosts of one", {3, 4, 4, 2}, {5, 2, 3, 2}, {.stride_h = 2}, 1, true},
    {"channels over a vector", {1, 3, 3, 17}, {33, 3, 3, 17}, {.padding = Padding::all(1)}, 0, true},
};

}  // namespace

TEST_CASE("conv2d: gradients equal central differences") {
  const Device device = Device::cpu(2);
  for (const Case& c : kCases) {
    CAPTURE(c.name);
    const Tensor x = random_activations(device, c.x, 1);
    const Tensor weight = random_weight(device, c.weight, 2);
    const Tensor bias = c.bias ? random_reals(device, {c.weight[0]}, 3) : Tensor();
    std::vector<Tensor> inputs{x, weight};
    if (c.bias) inputs.push_back(bias);
    GradientCheck(inputs, [&](Tape& tape) { return conv2d(tape, x, weight, c.options, bias); },
                  {.ghost = c.ghost})
        .reduction_length(c.x.elements())
        .run();
  }
}

TEST_CASE("conv2d: one weight used twice receives the sum of both gradients") {
  const Device device = Device::cpu(1);
  const Tensor x = random_activations(device, {2, 4, 4, 3}, 1);
  const Tensor weight = random_weight(device, {3, 3, 3, 3}, 2);
  const Conv2dOptions same{.padding = Padding::all(1)};
  GradientCheck({x, weight},
                [&](Tape& tape) { return conv2d(tape, conv2d(tape, x, weight, same), weight, same); })
      .reduction_length(x.size())
      .run();
}

}  // namespace crescendo::test
