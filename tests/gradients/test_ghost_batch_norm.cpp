// ghost_batch_norm: gradients of x, scale and shift, through the statistics, with and without the fused ReLU.
#include "cases/images.h"
#include "gradients/check_gradients.h"

namespace crescendo::test {
namespace {

// Running statistics, which the derivative does not pass through.
NormStatistics statistics_of(const Device& device, int64_t channels) {
  const auto make = [&](double value) {
    return make_reals(device, {channels}, Values(static_cast<size_t>(channels), value));
  };
  return {make(0), make(1), make(0), make(0)};
}

}  // namespace

TEST_CASE("ghost_batch_norm: gradients equal central differences") {
  const Device device = Device::cpu(2);
  for (const BatchNormGeometry& g : batch_norm_cases()) {
    // Among so many values one would be too near the ReLU's kink.
    if (g.relu && g.n * g.pixels * g.c > 10000) continue;
    CAPTURE(g.n);
    CAPTURE(g.pixels);
    CAPTURE(g.c);
    CAPTURE(g.relu);
    const Tensor x =
        random_activations(device, g.pixels == 1 ? Shape{g.n, g.c} : Shape{g.n, g.pixels, 1, g.c}, 1);
    const Tensor scale = random_reals(device, {g.c}, 2);  // of either sign
    const Tensor shift = random_reals(device, {g.c}, 3);
    const NormStatistics statistics = statistics_of(device, g.c);
    // An epsilon that is not small beside the variance: forgetting it in the backward pass shows.
    const BatchNormOptions options{.epsilon = 0.01, .relu = g.relu};
    GradientCheck({x, scale, shift},
                  [&](Tape& tape) { return ghost_batch_norm(tape, x, scale, shift, statistics, options); },
                  {.ghost = g.ghost})
        .reduction_length(g.ghost * g.pixels)
        .run();
    // The residual moves values towards the kink, and others away from it.
    if (g.relu && x.size() > 2000) continue;
    const Tensor residual = random_activations(device, x.shape(), 4);
    GradientCheck(
        {x, scale, shift, residual},
        [&](Tape& tape) { return ghost_batch_norm(tape, x, scale, shift, statistics, options, residual); },
        {.ghost = g.ghost})
        .reduction_length(g.ghost * g.pixels)
        .run();
  }
}

TEST_CASE("ghost_batch_norm: the gradient of x sums to zero in every ghost and channel") {
  const Device device = Device::cpu(2);
  const Shape shape{6, 2, 2, 3};
  const Tensor x = random_activations(device, shape, 1);
  const Tensor scale = random_reals(device, {3}, 2), shift = random_reals(device, {3}, 3);
  x.set_needs_gradient(true);
  Tape tape = Tape::training({.ghost = 2});
  const Tensor y = ghost_batch_norm(tape, x, scale, shift, statistics_of(device, 3));
  tape.backward(y, random_activations(device, shape, 4));
  const Values dx = x.gradient().to_host();
  for (size_t ghost = 0; ghost < 3; ++ghost)
    for (size_t channel = 0; channel < 3; ++channel) {
      double sum = 0, magnitude = 0;
      for (size_t i = 0; i < 8; ++i) {
        sum += dx[(ghost * 8 + i) * 3 + channel];
        magnitude += std::abs(dx[(ghost * 8 + i) * 3 + channel]);
      }
      CHECK(magnitude > 0.01);
      CHECK(std::abs(sum) <= 16 * std::numeric_limits<double>::epsilon() * magnitude);
    }
}

}  // namespace crescendo::test
