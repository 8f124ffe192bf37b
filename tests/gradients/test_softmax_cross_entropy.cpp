// softmax_cross_entropy: the gradient of the logits, with and without label smoothing.
#include "cases/images.h"
#include "gradients/check_gradients.h"

namespace crescendo::test {

TEST_CASE("softmax_cross_entropy: gradients equal central differences") {
  const Device device = Device::cpu(2);
  for (const CrossEntropyGeometry& g : cross_entropy_cases()) {
    CAPTURE(g.n);
    CAPTURE(g.classes);
    const Tensor logits =
        make_activations(device, {g.n, g.classes}, uniform_values(1, g.n * g.classes, -3, 3));
    std::vector<int32_t> classes;
    for (int64_t i = 0; i < g.n; ++i) classes.push_back(static_cast<int32_t>(i * 7 % g.classes));
    const Tensor labels = make_indices(device, classes);
    GradientCheck({logits},
                  [&](Tape& tape) { return softmax_cross_entropy(tape, logits, labels, g.smoothing).losses; })
        .reduction_length(g.classes)
        .run();
  }
}

TEST_CASE("softmax_cross_entropy: the gradient of a sample's logits sums to zero") {
  const Device device = Device::cpu(1);
  const Tensor logits = make_activations(device, {1, 4}, {800, -5, 0.5, 799});  // exp(800) would overflow
  const Tensor labels = make_indices(device, {2});
  logits.set_needs_gradient(true);
  Tape tape = Tape::training();
  const Tensor losses = softmax_cross_entropy(tape, logits, labels, 0.1).losses;
  tape.backward(losses, 3);
  const Values gradient = logits.gradient().to_host();
  CHECK(std::abs(gradient[0] + gradient[1] + gradient[2] + gradient[3]) <=
        8 * std::numeric_limits<double>::epsilon() * 800 * 3);  // 800 - log sum exp rounds like 800
  CHECK(gradient[2] == doctest::Approx(-3 * 0.925));
}

}  // namespace crescendo::test
