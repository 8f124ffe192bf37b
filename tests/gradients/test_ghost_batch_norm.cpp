// ghost_batch_norm: gradients of x, scale and shift, through the statistics, with and without the fused ReLU.
#include "gradients/check_gradients.h"

namespace crescendo::test {
namespace {

struct Case {
  std::string name;
  Shape x;
  int64_t ghost = 0;
  bool relu = false;
};

const Case kCases[] = {
    {"plain batch norm", {4, 2, 3, 5}},
    {"plain batch norm, fused", {4, 2, 3, 5}, 0, true},
    {"two ghosts", {4, 3, 2, 3}, 2},
    {"three ghosts, fused", {6, 2, 2, 4}, 2, true},
    {"three ghosts of one image", {3, 3, 3, 2}, 1, true},
    {"features", {8, 7}},
    {"features, two ghosts, fused", {10, 3}, 5, true},
    {"one value a channel", {1, 1, 1, 3}},  // variance 0: only the shift matters
    {"channels over a vector", {2, 2, 2, 33}, 0, true},
};

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
  for (const Case& c : kCases) {
    CAPTURE(c.name);
    const int64_t channels = c.x[c.x.rank() - 1];
    const Tensor x = random_activations(device, c.x, 1);
    const Tensor scale = random_reals(device, {channels}, 2);  // of either sign
    const Tensor shift = random_reals(device, {channels}, 3);
    const NormStatistics statistics = statistics_of(device, channels);
    // An epsilon that is not small beside the variance: forgetting it in the backward pass shows.
    const BatchNormOptions options{.epsilon = 0.01, .relu = c.relu};
    GradientCheck({x, scale, shift},
                  [&](Tape& tape) { return ghost_batch_norm(tape, x, scale, shift, statistics, options); },
                  {.ghost = c.ghost})
        .reduction_length(c.x.elements())
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
