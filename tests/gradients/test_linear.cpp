// linear: gradients of x, weight and bias.
#include "gradients/check_gradients.h"

namespace crescendo::test {
namespace {

struct Case {
  int64_t n, in, out, ghost;
  bool bias;
};

const Case kCases[] = {{1, 1, 1, 0, true},   {2, 3, 5, 0, false},  {4, 7, 3, 2, true},  {6, 5, 2, 2, true},
                       {3, 17, 10, 1, true}, {5, 33, 31, 0, true}, {1, 64, 9, 0, false}};

}  // namespace

TEST_CASE("linear: gradients equal central differences") {
  const Device device = Device::cpu(2);
  for (const Case& c : kCases) {
    CAPTURE(c.n);
    CAPTURE(c.in);
    CAPTURE(c.out);
    const Tensor x = random_activations(device, {c.n, c.in}, 1);
    const Tensor weight = random_weight(device, {c.out, c.in}, 2);
    const Tensor bias = c.bias ? random_reals(device, {c.out}, 3) : Tensor();
    std::vector<Tensor> inputs{x, weight};
    if (c.bias) inputs.push_back(bias);
    GradientCheck(inputs, [&](Tape& tape) { return linear(tape, x, weight, bias); }, {.ghost = c.ghost})
        .reduction_length(c.n * c.in)
        .run();
  }
}

}  // namespace crescendo::test
