// The tape: its records, the order of backward, and the memory that backward frees.
#include "engine/tape.h"

#include <doctest/doctest.h>

#include "engine/ops.h"
#include "support/tensors.h"
#include "support/tested_device.h"

namespace crescendo::test {
namespace {

// An op that passes no gradient on, but notes that its backward ran.
Tensor noted(Tape& tape, const char* name, const Tensor& x, std::vector<std::string>& ran) {
  const Tensor y = Tensor::activations(x.device(), x.shape());
  return tape.record(name, {x}, y, [=, &ran](const Tensor&) {
    ran.emplace_back(name);
    x.gradient_slot();
  });
}

}  // namespace

TEST_CASE("tape: backward runs the operations from last to first, and then none are left") {
  const Device device = tested_device(1);
  std::vector<std::string> ran;
  const Tensor x = Tensor::activations(device, {2});
  x.set_needs_gradient(true);
  Tape tape = Tape::training();
  const Tensor z = noted(tape, "second", noted(tape, "first", x, ran), ran);
  tape.backward(z);
  CHECK(ran == std::vector<std::string>{"second", "first"});
  tape.backward(z);
  CHECK(ran.size() == 2);
}

TEST_CASE("tape: outputs that are seeded beside the last one add their gradients with their weights") {
  const Device device = tested_device(1);
  const Tensor x = random_activations(device, {3}, 1);
  x.set_needs_gradient(true);
  Tape tape = Tape::training();
  const Tensor early = add(tape, x, x, 2);  // 3 x
  const Tensor late = add(tape, x, x, 4);   // 5 x
  tape.seed(early, 0.5);
  tape.backward(late);
  CHECK(x.gradient().to_host() == std::vector<real>(3, 0.5 * 3 + 5));
}

TEST_CASE("tape: an operation of several outputs runs once, with the gradients that there are") {
  const Device device = tested_device(1);
  for (const bool first_used : {false, true}) {
    const Tensor x = random_activations(device, {3}, 1);
    x.set_needs_gradient(true);
    Tape tape = Tape::training();
    const std::vector<Tensor> outputs{random_activations(device, {3}, 2), random_activations(device, {3}, 3),
                                      random_activations(device, {3}, 4)};
    const std::vector<std::vector<Tensor>> inputs(outputs.size(), {x});
    std::vector<std::vector<bool>> calls;
    tape.record("several", inputs, outputs, [&](std::span<const Tensor> gradients) {
      calls.emplace_back();
      for (const Tensor& gradient : gradients) calls.back().push_back(gradient.defined());
    });
    CHECK(outputs[0].needs_gradient());
    CHECK(outputs[2].needs_gradient());
    const Tensor sum = add(tape, outputs[2], first_used ? outputs[0] : outputs[2]);
    tape.backward(sum);
    CHECK(calls == std::vector<std::vector<bool>>{{first_used, false, true}});

    tape.record("unused", inputs, outputs, [&](std::span<const Tensor>) { calls.emplace_back(); });
    for (const Tensor& output : outputs) output.forget_gradient();
    tape.backward(add(tape, x, x, 2));
    CHECK(calls.size() == 1);
  }
}

TEST_CASE("tape: an operation that the output does not depend on is skipped") {
  const Device device = tested_device(1);
  std::vector<std::string> ran;
  const Tensor x = Tensor::activations(device, {2});
  x.set_needs_gradient(true);
  Tape tape = Tape::training();
  const Tensor y = noted(tape, "wanted", x, ran);
  noted(tape, "unwanted", x, ran);
  tape.backward(y);
  CHECK(ran == std::vector<std::string>{"wanted"});
}

TEST_CASE("tape: nothing is recorded in evaluation, nor if no input needs a gradient") {
  const Device device = tested_device(1);
  std::vector<std::string> ran;
  const Tensor x = Tensor::activations(device, {2});
  SUBCASE("no gradient needed") {
    Tape tape = Tape::training();
    const Tensor y = noted(tape, "op", x, ran);
    CHECK_FALSE(y.needs_gradient());
    tape.backward(y);
  }
  SUBCASE("off") {
    x.set_needs_gradient(true);
    Tape tape = Tape::off();
    const Tensor y = noted(tape, "op", x, ran);
    CHECK_FALSE(y.needs_gradient());
    tape.backward(y);
  }
  CHECK(ran.empty());
}

TEST_CASE("tape: the output's gradient is a number everywhere, or a given tensor") {
  const Device device = tested_device(1);
  const Tensor x = random_activations(device, {3}, 1);
  x.set_needs_gradient(true);
  Tape tape = Tape::training();
  SUBCASE("a number") {
    tape.backward(add(tape, x, x), 0.25);
    CHECK(x.gradient().to_host() == std::vector<real>{0.5, 0.5, 0.5});
  }
  SUBCASE("a tensor") {
    tape.backward(add(tape, x, x), make_activations(device, {3}, {1, 2, 3}));
    CHECK(x.gradient().to_host() == std::vector<real>{2, 4, 6});
  }
  SUBCASE("of the wrong shape") {
    const Tensor y = add(tape, x, x);
    CHECK_THROWS_WITH_AS(tape.backward(y, Tensor::activations(device, {4})),
                         "backward: gradient of shape [4] for an output of shape [3]", std::invalid_argument);
  }
}

TEST_CASE("tape: a second pass adds to the gradients of the first") {
  const Device device = tested_device(1);
  const Tensor x = random_activations(device, {3}, 1);
  x.set_needs_gradient(true);
  for (int pass = 0; pass < 2; ++pass) {
    Tape tape = Tape::training();
    tape.backward(add(tape, x, x), 1);
  }
  CHECK(x.gradient().to_host() == std::vector<real>{4, 4, 4});
}

TEST_CASE("tape: ghost batches divide the micro-batch") {
  const Tape tape = Tape::training({.ghost = 4});
  CHECK(tape.ghost(12) == 4);
  CHECK_THROWS_WITH_AS(tape.ghost(10), "tape: 10 images are not a whole number of ghost batches of 4",
                       std::invalid_argument);
  CHECK(Tape::training().ghost(10) == 10);
}

TEST_CASE("tape: the observer sees every op, its inputs and its output, recorded or not") {
  const Device device = tested_device(1);
  const Tensor a = random_activations(device, {3}, 1), b = random_activations(device, {3}, 2);
  for (const bool training : {true, false}) {
    Tape tape = training ? Tape::training() : Tape::off();
    std::vector<std::string> names;
    Tensor last;
    tape.observer = [&](const char* name, std::span<const Tensor> inputs, const Tensor& output) {
      names.emplace_back(name);
      if (names.size() == 1) {
        REQUIRE(inputs.size() == 2);
        CHECK(inputs[0].is(a));
        CHECK(inputs[1].is(b));
      }
      last = output;
    };
    const Tensor y = relu(tape, add(tape, a, b));
    CHECK(names == std::vector<std::string>{"add", "relu"});
    CHECK(last.is(y));
  }
}

TEST_CASE("tape: the observer sees each output of an op, with the inputs of that output") {
  const Device device = tested_device(1);
  const std::vector<std::vector<Tensor>> inputs{{random_activations(device, {3}, 1)},
                                                {random_activations(device, {3}, 2)}};
  const std::vector<Tensor> outputs{random_activations(device, {3}, 3), random_activations(device, {3}, 4)};
  Tape tape = Tape::off();
  size_t seen = 0;
  tape.observer = [&](const char*, std::span<const Tensor> of_output, const Tensor& output) {
    REQUIRE(of_output.size() == 1);
    CHECK(of_output[0].is(inputs[seen][0]));
    CHECK(output.is(outputs[seen++]));
  };
  tape.record("several", inputs, outputs, nullptr);
  CHECK(seen == 2);
}

}  // namespace crescendo::test
