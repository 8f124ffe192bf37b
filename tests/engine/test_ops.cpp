// Each op's output shape, its errors and their messages, and its differences in evaluation.
#include "engine/device_scalar.h"
#include "engine/ops.h"

#include <doctest/doctest.h>

#include "support/compare.h"
#include "support/tensors.h"
#include "support/tested_device.h"

namespace crescendo::test {
namespace {

const Device& device() {
  static const Device cpu = tested_device(2);
  return cpu;
}

Tensor activations(const Shape& shape) { return random_activations(device(), shape, 1); }
Tensor reals(const Shape& shape) { return random_reals(device(), shape, 2); }

}  // namespace

TEST_CASE("conv2d: shape, and what does not fit") {
  Tape tape = Tape::off();
  const Tensor x = activations({2, 9, 8, 3}), weight = activations({5, 3, 2, 3});
  CHECK(conv2d(tape, x, weight).shape() == Shape{2, 7, 7, 5});
  CHECK(conv2d(tape, x, weight, {.stride_h = 2, .stride_w = 3, .padding = {.top = 1, .right = 1}}).shape() ==
        Shape{2, 4, 3, 5});
  CHECK(conv2d(tape, activations({0, 9, 8, 3}), weight).shape() == Shape{0, 7, 7, 5});
  CHECK_THROWS_WITH_AS(conv2d(tape, x, activations({5, 3, 3, 64})),
                       "conv2d: weight has 64 input channels but x has 3", std::invalid_argument);
  CHECK_THROWS_AS(conv2d(tape, activations({2, 9}), weight), std::invalid_argument);
  CHECK_THROWS_AS(conv2d(tape, x, activations({5, 3})), std::invalid_argument);
  CHECK_THROWS_AS(conv2d(tape, x, activations({5, 10, 2, 3})), std::invalid_argument);
  CHECK_THROWS_AS(conv2d(tape, x, weight, {.stride_h = 0}), std::invalid_argument);
  CHECK_THROWS_AS(conv2d(tape, x, weight, {.padding = {.left = -1}}), std::invalid_argument);
  CHECK_THROWS_AS(conv2d(tape, x, weight, {}, reals({4})), std::invalid_argument);
}

TEST_CASE("conv2d and linear: training needs whole ghost batches") {
  Tape tape = Tape::training({.ghost = 2});
  CHECK_THROWS_AS(conv2d(tape, activations({3, 4, 4, 3}), activations({5, 3, 3, 3})), std::invalid_argument);
  CHECK_THROWS_AS(linear(tape, activations({3, 4}), activations({5, 4})), std::invalid_argument);
}

TEST_CASE("linear: shape, and what does not fit") {
  Tape tape = Tape::off();
  const Tensor x = activations({4, 7});
  CHECK(linear(tape, x, activations({3, 7}), reals({3})).shape() == Shape{4, 3});
  CHECK_THROWS_WITH_AS(linear(tape, x, activations({3, 6})),
                       "linear: weight [3, 6] for x [4, 7]; expected [out, 7]", std::invalid_argument);
  CHECK_THROWS_AS(linear(tape, activations({4, 1, 1, 7}), activations({3, 7})), std::invalid_argument);
  CHECK_THROWS_AS(linear(tape, x, activations({3, 7}), reals({7})), std::invalid_argument);
}

TEST_CASE("pooling: shapes, and what does not fit") {
  Tape tape = Tape::off();
  const Tensor x = activations({2, 7, 6, 3});
  CHECK(max_pool2d(tape, x, {}).shape() == Shape{2, 3, 3, 3});
  CHECK(average_pool2d(tape, x, {.window_h = 3, .window_w = 3, .padding = Padding::all(1)}).shape() ==
        Shape{2, 4, 3, 3});
  CHECK(global_average_pool(tape, x).shape() == Shape{2, 3});
  CHECK_THROWS_AS(max_pool2d(tape, x, {.window_h = 8}), std::invalid_argument);
  CHECK_THROWS_AS(max_pool2d(tape, x, {.padding = Padding::all(2)}),
                  std::invalid_argument);  // windows with only padding
  CHECK_THROWS_AS(average_pool2d(tape, x, {.stride_w = 0}), std::invalid_argument);
  CHECK_THROWS_AS(global_average_pool(tape, activations({2, 3})), std::invalid_argument);
}

TEST_CASE("average_pool2d: padding counts, or not") {
  Tape tape = Tape::off();
  const Tensor x = make_activations(device(), {1, 2, 2, 1}, {1, 2, 3, 6});
  const Pool2dOptions counted{.padding = Padding::all(1)};
  Pool2dOptions inside = counted;
  inside.count_padding = false;
  CHECK(average_pool2d(tape, x, counted).to_host() == std::vector<real>{0.25, 0.5, 0.75, 1.5});
  CHECK(average_pool2d(tape, x, inside).to_host() == std::vector<real>{1, 2, 3, 6});
}

TEST_CASE("max_pool2d: a NaN is not lost") {
  Tape tape = Tape::off();
  const real nan = std::numeric_limits<real>::quiet_NaN();
  const Tensor x = make_activations(device(), {1, 2, 2, 1}, {1, nan, 3, 2});
  CHECK(std::isnan(max_pool2d(tape, x, {}).to_host()[0]));
}

TEST_CASE("add, relu and concat_channels: values, and shapes that differ") {
  Tape tape = Tape::off();
  const Tensor a = make_activations(device(), {1, 1, 2, 2}, {1, -2, 3, -4});
  const Tensor b = make_activations(device(), {1, 1, 2, 1}, {5, -6});
  CHECK(add(tape, a, a).to_host() == std::vector<real>{2, -4, 6, -8});
  CHECK(add(tape, a, a, -0.5).to_host() == std::vector<real>{0.5, -1, 1.5, -2});
  CHECK(relu(tape, a).to_host() == std::vector<real>{1, 0, 3, 0});
  const std::vector<Tensor> parts{a, b};
  CHECK(concat_channels(tape, parts).to_host() == std::vector<real>{1, -2, 5, 3, -4, -6});
  CHECK_THROWS_WITH_AS(add(tape, a, b), "add: shapes [1, 1, 2, 2] and [1, 1, 2, 1] differ",
                       std::invalid_argument);
  CHECK_THROWS_AS(concat_channels(tape, {}), std::invalid_argument);
  const std::vector<Tensor> misfits{a, activations({1, 2, 2, 2})};
  CHECK_THROWS_AS(concat_channels(tape, misfits), std::invalid_argument);
}

TEST_CASE("dropout: keeps the right share, scaled, and everything outside of training") {
  const Tensor x = make_activations(device(), {10, 1000}, std::vector<real>(10000, 1));
  Tape off = Tape::off();
  CHECK(dropout(off, x, 0.3, 0).is(x));
  Tape tape = Tape::training({.seed = 4});
  CHECK(dropout(tape, x, 1, 0).is(x));
  int64_t kept = 0;
  for (const real value : dropout(tape, x, 0.25, 0).to_host()) {
    CHECK((value == 0 || value == 4));
    kept += value != 0;
  }
  CHECK(std::abs(static_cast<double>(kept) - 2500) <
        5 * std::sqrt(10000 * 0.25 * 0.75));  // standard deviations
  CHECK_THROWS_AS(dropout(tape, x, 0, 0), std::invalid_argument);
  CHECK_THROWS_AS(dropout(tape, x, 1.5, 0), std::invalid_argument);
}

TEST_CASE("dropout: the mask follows an image's place in the run, not the micro-batch") {
  const Tensor x = random_activations(device(), {6, 37}, 1);
  DeviceScalar<StepCounters> counters(device());
  counters.set({.position = 100});
  Tape whole = Tape::training({.seed = 4, .counters = counters.address()});
  const std::vector<real> expected = dropout(whole, x, 0.5, 2).to_host();
  std::vector<real> cut;
  for (const int64_t first : {0, 2}) {
    const int64_t n = first == 0 ? 2 : 4;
    counters.set({.position = 100 + first});
    Tape part = Tape::training({.seed = 4, .counters = counters.address()});
    const std::vector<real> values =
        dropout(part, x.view(first * 37, {n, 37}, Element::activation), 0.5, 2).to_host();
    cut.insert(cut.end(), values.begin(), values.end());
  }
  check_same_bits(cut, expected);
  counters.set({.position = 100});
  Tape other_layer = Tape::training({.seed = 4, .counters = counters.address()});
  CHECK(dropout(other_layer, x, 0.5, 3).to_host() != expected);
  Tape other_seed = Tape::training({.seed = 5, .counters = counters.address()});
  CHECK(dropout(other_seed, x, 0.5, 2).to_host() != expected);
}

TEST_CASE("softmax_cross_entropy: losses and hits by hand, and what does not fit") {
  Tape tape = Tape::off();
  const Tensor logits = make_activations(device(), {2, 3}, {0, 0, 0, 1, 3, 2});
  const Tensor labels = make_indices(device(), {0, 2});
  const CrossEntropy plain = softmax_cross_entropy(tape, logits, labels);
  const double sum = std::exp(1.0) + std::exp(3.0) + std::exp(2.0);
  const double tolerance = 8 * static_cast<double>(std::numeric_limits<real>::epsilon()) * 3;
  check_close(plain.losses.to_host(), {std::log(3.0), std::log(sum) - 2}, tolerance);
  CHECK(plain.correct.indices_to_host() == std::vector<int32_t>{1, 0});  // the first of equal logits counts
  const CrossEntropy smooth = softmax_cross_entropy(tape, logits, labels, 0.3);
  check_close(smooth.losses.to_host(), {std::log(3.0), std::log(sum) - (0.8 * 2 + 0.1 * 1 + 0.1 * 3)},
              tolerance);
  CHECK_THROWS_AS(softmax_cross_entropy(tape, logits, make_indices(device(), {0})), std::invalid_argument);
  CHECK_THROWS_AS(softmax_cross_entropy(tape, logits, labels, 1), std::invalid_argument);
  CHECK_THROWS_AS(softmax_cross_entropy(tape, activations({2, 3, 1, 1}), labels), std::invalid_argument);
}

}  // namespace crescendo::test
