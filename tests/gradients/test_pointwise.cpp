// relu, add, concat_channels and dropout: gradients, and inputs that are used twice.
#include "engine/device_scalar.h"
#include "gradients/check_gradients.h"

namespace crescendo::test {

TEST_CASE("relu: gradients equal central differences") {
  const Device device = Device::cpu(2);
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{2, 3, 5, 7}, Shape{31}, Shape{3, 11}}) {
    CAPTURE(shape);
    const Tensor x = make_activations(device, shape, values_off_zero(1, shape.elements()));
    GradientCheck({x}, [&](Tape& tape) { return relu(tape, x); }).run();
  }
}

TEST_CASE("relu: no gradient passes at zero") {
  const Device device = Device::cpu(1);
  const Tensor x = make_activations(device, {3}, {-1, 0, 1});
  x.set_needs_gradient(true);
  Tape tape = Tape::training();
  const Tensor y = relu(tape, x);
  tape.backward(y, make_activations(device, {3}, {2, 3, 4}));
  CHECK(x.gradient().to_host() == Values{0, 0, 4});
}

TEST_CASE("add: gradients equal central differences") {
  const Device device = Device::cpu(2);
  const Shape shape{2, 3, 1, 5};
  const Tensor a = random_activations(device, shape, 1), b = random_activations(device, shape, 2);
  SUBCASE("add") {
    GradientCheck({a, b}, [&](Tape& tape) { return add(tape, a, b); }).run();
  }
  SUBCASE("with a factor") {
    GradientCheck({a, b}, [&](Tape& tape) { return add(tape, a, b, -0.17); }).run();
  }
  SUBCASE("a tensor added to itself receives both shares") {
    GradientCheck({a}, [&](Tape& tape) { return add(tape, a, a, 0.3); }).run();
  }
  SUBCASE("an input that needs no gradient gets none") {
    GradientCheck({b}, [&](Tape& tape) { return add(tape, a, b, 0.3); }).run();
    CHECK_FALSE(a.gradient().defined());
  }
}

TEST_CASE("concat_channels: gradients equal central differences") {
  const Device device = Device::cpu(2);
  const Tensor a = random_activations(device, {2, 3, 2, 1}, 1);
  const Tensor b = random_activations(device, {2, 3, 2, 5}, 2);
  const Tensor c = random_activations(device, {2, 3, 2, 4}, 3);
  SUBCASE("three tensors") {
    const std::vector<Tensor> parts{a, b, c};
    GradientCheck(parts, [&](Tape& tape) { return concat_channels(tape, parts); }).run();
  }
  SUBCASE("one tensor") {
    const std::vector<Tensor> parts{b};
    GradientCheck(parts, [&](Tape& tape) { return concat_channels(tape, parts); }).run();
  }
  SUBCASE("parts made in their places, and one that is not") {
    const Tensor scale = random_reals(device, {5}, 4), shift = random_reals(device, {5}, 5);
    const NormStatistics statistics{random_reals(device, {5}, 6), random_reals(device, {5}, 7), {}, {}};
    GradientCheck({a, b, c, scale, shift}, [&](Tape& tape) {
      Concatenation all(device, {2, 3, 2, 10});
      all.add(a);
      all.add(ghost_batch_norm(tape, b, scale, shift, statistics, {}, {}, all.slice(1, 5)));
      all.add(
          max_pool2d(tape, c, {.window_h = 1, .window_w = 1, .stride_h = 1, .stride_w = 1}, all.slice(6, 4)));
      return all.result(tape);
    }).run();
  }
  SUBCASE("a tensor used twice receives the sum") {
    const std::vector<Tensor> parts{b, a, b};
    GradientCheck({a, b}, [&](Tape& tape) { return concat_channels(tape, parts); }).run();
  }
}

TEST_CASE("dropout: gradients equal central differences under the same mask") {
  const Device device = Device::cpu(2);
  for (const double keep : {0.2, 0.5, 0.8, 1.0})
    for (const Shape& shape : {Shape{3, 2, 2, 5}, Shape{4, 9}}) {
      CAPTURE(keep);
      CAPTURE(shape);
      const Tensor x = random_activations(device, shape, 1);
      DeviceScalar<StepCounters> counters(device);
      counters.set({.position = 1000});
      GradientCheck({x}, [&](Tape& tape) { return add(tape, x, dropout(tape, x, keep, 3), 2); },
                    {.seed = 11, .counters = counters.address()})
          .run();
    }
}

}  // namespace crescendo::test
