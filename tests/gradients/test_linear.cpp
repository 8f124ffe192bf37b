// linear: gradients of x, weight and bias.
#include "cases/linear.h"
#include "gradients/check_gradients.h"

namespace crescendo::test {

TEST_CASE("linear: gradients equal central differences") {
  const Device device = Device::cpu(2);
  for (const LinearGeometry& g : linear_cases())
    for (const bool with_bias : {false, true}) {
      CAPTURE(g.n);
      CAPTURE(g.in);
      CAPTURE(g.out);
      CAPTURE(with_bias);
      const Tensor x = random_activations(device, {g.n, g.in}, 1);
      const Tensor weight = random_weight(device, {g.out, g.in}, 2);
      const Tensor bias = with_bias ? random_reals(device, {g.out}, 3) : Tensor();
      std::vector<Tensor> inputs{x, weight};
      if (with_bias) inputs.push_back(bias);
      GradientCheck(inputs, [&](Tape& tape) { return linear(tape, x, weight, bias); }, {.ghost = g.ghost})
          .reduction_length(g.in)
          .run();
    }
}

}  // namespace crescendo::test
