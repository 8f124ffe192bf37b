// The parameter store: names, the layout of the flat buffers, initial values, and gradients.
#include "engine/parameters.h"

#include <doctest/doctest.h>

#include <cmath>

#include "support/tensors.h"
#include "support/tested_device.h"

namespace crescendo::test {
namespace {

struct Small {
  ParameterStore store;
  ParameterHandle conv, scale, shift, fc, bias;
  StatisticHandle mean, variance;

  Small() {
    const Scope scope(store);
    conv = scope["a"]["conv"].parameter("weight", {5, 3, 3, 7}, ParameterKind::weight, {.spread = 0.5});
    scale = scope["a"]["bn"].parameter("weight", {5}, ParameterKind::norm, {.value = 1});
    shift = scope["a"]["bn"].parameter("bias", {5}, ParameterKind::norm, {});
    fc = scope["fc"].parameter("weight", {3, 5}, ParameterKind::weight, {.value = 2, .spread = 0.1});
    bias = scope["fc"].parameter("bias", {3}, ParameterKind::bias, {});
    mean = scope["a"]["bn"].statistic("running_mean", {5}, 0);
    variance = scope["a"]["bn"].statistic("running_var", {5}, 1);
  }

  std::vector<real> values(const ParameterHandle& p) const {
    return store.download(store.values(), p->offset, p->shape.elements());
  }
};

}  // namespace

TEST_CASE("scope: joins names by dots") {
  const Small small;
  CHECK(small.conv->name == "a.conv.weight");
  CHECK(small.bias->name == "fc.bias");
  CHECK(small.mean->name == "a.bn.running_mean");
}

TEST_CASE("parameters: ones take the place of a parameter, but do not count as one") {
  Small small;
  const ParameterHandle ones = small.store.add_ones("b.bn.weight", 9);
  const ParameterHandle more = small.store.add_ones("c.bn.weight", 4);
  const int64_t count = small.store.parameter_count();
  const size_t listed = small.store.parameters().size();
  small.store.allocate(tested_device(1));
  small.store.initialise(1);
  CHECK(ones->value.to_host() == std::vector<real>(9, 1));
  CHECK(more->value.to_host() == std::vector<real>(4, 1));
  CHECK(small.store.parameter_count() == count);
  CHECK(small.store.parameters().size() == listed);
  // The gradients of ones are written too, so that scale and shift of a norm are treated alike.
  const auto next = [&] { return ones->value.gradient_slot().write; };
  CHECK(next() == Write::overwrite);
  CHECK(next() == Write::add);
  small.store.forget_gradients();
  CHECK(next() == Write::overwrite);
  small.store.forget_gradients();
  small.store.note_gradients();
  CHECK(next() == Write::add);
}

TEST_CASE("parameters: a name is declared once") {
  Small small;
  small.store.add_ones("one", 2);
  CHECK_THROWS_AS(small.store.add_ones("fc.bias", 3), std::invalid_argument);
  CHECK_THROWS_AS(small.store.add_statistic("one", {2}, 0), std::invalid_argument);
  CHECK_THROWS_WITH_AS(small.store.add_parameter("fc.bias", {3}, ParameterKind::bias, {}),
                       "parameters: fc.bias is declared twice", std::invalid_argument);
  CHECK_THROWS_AS(small.store.add_statistic("a.bn.running_var", {3}, 1), std::invalid_argument);
}

TEST_CASE("parameters: lie apart, aligned, those of norms last") {
  Small small;
  small.store.allocate(tested_device(1));
  const int64_t size = small.store.size();
  std::vector<bool> taken(static_cast<size_t>(size), false);
  for (const auto& parameter : small.store.parameters()) {
    CAPTURE(parameter->name);
    CHECK(parameter->offset * static_cast<int64_t>(sizeof(real)) % 64 == 0);
    CHECK((parameter->kind == ParameterKind::norm) == (parameter->offset >= small.store.norm_begin()));
    REQUIRE(parameter->offset + parameter->shape.elements() <= size);
    for (int64_t i = 0; i < parameter->shape.elements(); ++i) {
      CHECK_FALSE(taken[static_cast<size_t>(parameter->offset + i)]);
      taken[static_cast<size_t>(parameter->offset + i)] = true;
    }
  }
  CHECK(small.store.parameter_count() == 5 * 3 * 3 * 7 + 5 + 5 + 15 + 3);
  CHECK(small.store.gradients().size() == size);
}

TEST_CASE("parameters: padding is zero and stays zero") {
  Small small;
  small.store.allocate(tested_device(1));
  small.store.initialise(1);
  const std::vector<real> all = small.store.values().to_host();
  real total = 0, used = 0;
  for (const real value : all) total += std::abs(value);
  for (const auto& parameter : small.store.parameters())
    for (const real value : small.values(parameter)) used += std::abs(value);
  CHECK(total == doctest::Approx(used));
}

TEST_CASE("parameters: initial values follow their distribution and the seed alone") {
  Small small, same, other;
  small.store.allocate(tested_device(1));
  same.store.allocate(tested_device(2));
  other.store.allocate(tested_device(1));
  small.store.initialise(1);
  same.store.initialise(1);
  other.store.initialise(2);
  CHECK(small.values(small.conv) == same.values(same.conv));
  CHECK(small.values(small.conv) != other.values(other.conv));
  CHECK(small.values(small.scale) == std::vector<real>(5, 1));
  CHECK(small.values(small.shift) == std::vector<real>(5, 0));
  CHECK(small.store.download(small.store.statistic_values(), small.variance->offset, 5) ==
        std::vector<real>(5, 1));
  CHECK(small.store.download(small.store.statistic_values(), small.mean->offset, 5) ==
        std::vector<real>(5, 0));

  const std::vector<real> conv = small.values(small.conv);
  double sum = 0, squares = 0;
  for (const real value : conv) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value * value);
  }
  const double n = static_cast<double>(conv.size());
  CHECK(std::abs(sum / n) < 5 * 0.5 / std::sqrt(n));  // five standard errors
  CHECK(std::abs(squares / n / 0.25 - 1) < 5 * std::sqrt(2 / n));
  for (const real value : small.values(small.fc)) CHECK(std::abs(value - 2) < 0.6);
  CHECK(small.values(small.fc)[0] != small.values(small.fc)[1]);
}

TEST_CASE("parameters: a parameter's tensor and its gradient are parts of the flat buffers") {
  Small small;
  small.store.allocate(tested_device(1));
  const std::vector<real> values = noise(15, 1);
  small.store.upload(small.store.values(), small.fc->offset, values);
  CHECK(small.fc->value.to_host() == values);
  CHECK(small.fc->value.shape() == Shape{3, 5});
  const auto [gradient, write] = small.fc->value.gradient_slot();
  CHECK(write == Write::overwrite);
  set(gradient, values);
  CHECK(small.store.download(small.store.gradients(), small.fc->offset, 15) == values);
}

TEST_CASE("parameters: says which one received no gradient") {
  Small small;
  small.store.allocate(tested_device(1));
  for (const auto& parameter : small.store.parameters())
    if (parameter->name != "a.bn.bias") parameter->value.gradient_slot();
  CHECK_THROWS_WITH_AS(small.store.require_gradients(), "parameters: a.bn.bias received no gradient",
                       std::logic_error);
  small.shift->value.gradient_slot();
  CHECK_NOTHROW(small.store.require_gradients());
  small.store.forget_gradients();
  CHECK_THROWS_AS(small.store.require_gradients(), std::logic_error);
  CHECK(small.fc->value.gradient_slot().write == Write::overwrite);
}

}  // namespace crescendo::test
