// Kernels on bf16 activations give the results of those on float for the same numbers, rounded once more.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "cases/images.h"
#include "emulation/emulated_backend.h"
#include "support/activations.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

std::vector<real> rounded(std::vector<real> values) {
  for (real& value : values) value = bf16(value);
  return values;
}

// Checks bf16 results against those of float. bf16's last digit is 2^-8 of a number; a result near a tie may
// be rounded to either side. Vectors of eight channels share out the rows of a sum differently from vectors
// of four: sums of 16 terms of about 1 in `real` may then differ in their last digits.
void check_rounded(const std::vector<real>& actual, const std::vector<real>& expected) {
  const real order = static_cast<real>(sum_tolerance(16, 1));
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    const real distance = std::abs(actual[i] - expected[i]);
    if (!(distance <= std::ldexp(std::abs(expected[i]), -8) + order)) {
      FAIL_CHECK("element ", i, " is ", actual[i], ", expected ", expected[i], " rounded");
      return;
    }
  }
}

// Checks what `compute` returns on a backend of bf16 against a backend of float.
void check(const std::function<Results(Backend&)>& compute) {
  EmulatedBackend<float> wide(emulation::Schedule::in_order);
  EmulatedBackend<bf16> narrow(emulation::Schedule::warp_greedy);
  const Results expected = compute(wide), actual = compute(narrow);
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    check_rounded(actual[i], expected[i]);
  }
}

std::vector<real> small_numbers(int64_t n, uint32_t seed) { return rounded(noise(n, seed)); }

}  // namespace

TEST_CASE("bf16 holds the upper half of a float, rounded to the nearest, ties to even") {
  const auto bits = [](float value) { return std::bit_cast<uint16_t>(bf16(value)); };
  CHECK(bits(0.0F) == 0);
  CHECK(bits(-0.0F) == 0x8000);
  CHECK(bits(1.0F) == 0x3F80);
  CHECK(bits(1.0F + 0x1p-8F) == 0x3F80);             // a tie, to even
  CHECK(bits(1.0F + 0x1p-7F + 0x1p-8F) == 0x3F82);   // the next one too
  CHECK(bits(1.0F + 0x1p-8F + 0x1p-20F) == 0x3F81);  // above the tie
  CHECK(bits(std::numeric_limits<float>::max()) == 0x7F80);
  CHECK(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0x7F800001U)))));
  CHECK(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0xFFFFFFFFU)))));
  for (uint32_t upper = 0; upper < 0x10000; ++upper) {
    const auto value = std::bit_cast<float>(upper << 16);
    if (!std::isnan(value)) REQUIRE(bits(value) == upper);
  }
}

TEST_CASE("pointwise kernels in bf16") {
  constexpr int64_t kCount = 1000;
  check([](Backend& backend) -> Results {
    const Activations x(backend, small_numbers(kCount, 1)), dy(backend, small_numbers(kCount, 2));
    Activations y(backend, poison(kCount)), dx(backend, poison(kCount)), sum(backend, poison(kCount)),
        scaled(backend, small_numbers(kCount, 3)), dropped(backend, small_numbers(kCount, 4)),
        copied(backend, small_numbers(kCount, 5)), filled(backend, poison(kCount));
    run(backend, ReluForward{.n = kCount, .x = x, .y = y});
    run(backend, ReluBackward{.n = kCount, .y = y, .dy = dy, .dx = dx, .write = Write::overwrite});
    run(backend, ScaleAdd{.n = kCount, .a = x, .factor = 0.3, .b = dy, .y = sum});
    run(backend, Scale{.n = kCount, .factor = 0.7, .x = dy, .y = scaled, .write = Write::add});
    run(backend, Dropout{.geometry = {.n = 10, .elements = 100, .key = 1, .layer = 2, .keep = 0.8},
                         .counters = nullptr,
                         .x = x,
                         .y = dropped,
                         .write = Write::add});
    run(backend, CopyChannels{.geometry = {.rows = 100,
                                           .count = 3,
                                           .from_channels = 10,
                                           .from_offset = 2,
                                           .to_channels = 10,
                                           .to_offset = 5},
                              .from = x,
                              .to = copied,
                              .write = Write::add});
    run(backend, FillActivations{.n = kCount, .value = 0.1, .to = filled});
    return {y.values(),       dx.values(),     sum.values(),   scaled.values(),
            dropped.values(), copied.values(), filled.values()};
  });
}

TEST_CASE("ghost batch norm in bf16") {
  for (BatchNormGeometry g : batch_norm_cases()) {
    CAPTURE(g.n);
    CAPTURE(g.c);
    g.epsilon = 1;  // a variance of zero would turn the order of two sums into a result
    if (!g.relu) g.y_channels = g.c + g.n % 3 * 4;  // vectors of eight lie well, or do not
    const int64_t size = g.n * g.pixels * g.c, y_size = g.n * g.pixels * g.y_pixel();
    check([&](Backend& backend) -> Results {
      const Activations x(backend, small_numbers(size, 1)), dy(backend, small_numbers(y_size, 2));
      Activations y(backend, small_numbers(y_size, 5)), dx(backend, poison(size));
      const Buffer<real> scale(backend, noise(g.c, 3)), shift(backend, noise(g.c, 4));
      Buffer<real> mean(backend, poison(g.ghosts() * g.c)), variance(backend, poison(g.ghosts() * g.c)),
          dscale(backend, poison(g.c)), dshift(backend, poison(g.c));
      run(backend, GhostMoments{.geometry = g, .x = x, .mean = mean, .variance = variance});
      const NormOperands norm{scale, shift, mean, variance};
      run(backend, Normalise{.geometry = g, .x = x, .norm = norm, .residual = nullptr, .y = y});
      run(backend, GhostBatchNormBackward{.geometry = g,
                                          .x = x,
                                          .dy = dy,
                                          .norm = norm,
                                          .dx = dx,
                                          .write_dx = Write::overwrite,
                                          .dscale = dscale,
                                          .dshift = dshift,
                                          .write_parameters = Write::overwrite});
      return {mean.values(), variance.values(), y.values(), dx.values(), dscale.values(), dshift.values()};
    });
  }
}

TEST_CASE("pooling in bf16") {
  for (const auto& test : pool2d_cases()) {
    CAPTURE(test.name);
    const Pool2dGeometry& g = test.geometry;
    const int64_t inputs = g.n * g.h * g.w * g.c, outputs = g.n * g.p * g.q * g.c;
    check([&](Backend& backend) -> Results {
      const Activations x(backend, small_numbers(inputs, 1)), dy(backend, small_numbers(outputs, 2));
      Activations largest(backend, poison(outputs)), average(backend, poison(outputs)),
          dx(backend, poison(inputs)), dx_average(backend, poison(inputs));
      Buffer<int32_t> winners(backend, std::vector<int32_t>(static_cast<size_t>(outputs)));
      run(backend, MaxPool2dForward{.geometry = g, .x = x, .y = largest, .winners = winners});
      run(backend, MaxPool2dBackward{
                       .geometry = g, .dy = dy, .winners = winners, .dx = dx, .write = Write::overwrite});
      run(backend, AveragePool2dForward{.geometry = g, .x = x, .y = average});
      run(backend,
          AveragePool2dBackward{.geometry = g, .dy = dy, .dx = dx_average, .write = Write::overwrite});
      return {largest.values(), average.values(), dx.values(), dx_average.values()};
    });
  }
}

TEST_CASE("cross-entropy and optimizers in bf16") {
  for (const CrossEntropyGeometry& g : cross_entropy_cases()) {
    CAPTURE(g.classes);
    check([&](Backend& backend) -> Results {
      const Activations logits(backend, small_numbers(g.n * g.classes, 1));
      Activations dlogits(backend, poison(g.n * g.classes));
      Buffer<int32_t> labels(backend, std::vector<int32_t>(static_cast<size_t>(g.n), 0)),
          correct(backend, std::vector<int32_t>(static_cast<size_t>(g.n), -1));
      Buffer<real> losses(backend, poison(g.n));
      const Buffer<real> dlosses(backend, noise(g.n, 2));
      run(backend,
          SoftmaxCrossEntropyForward{
              .geometry = g, .logits = logits, .labels = labels, .losses = losses, .correct = correct});
      run(backend, SoftmaxCrossEntropyBackward{.geometry = g,
                                               .logits = logits,
                                               .labels = labels,
                                               .dlosses = dlosses,
                                               .dlogits = dlogits,
                                               .write = Write::overwrite});
      const std::vector<int32_t> right = correct.values();
      return {losses.values(), dlogits.values(), std::vector<real>(right.begin(), right.end())};
    });
  }
  constexpr int64_t kCount = 1000;
  const MomentumStep step{
      {.n = kCount, .decayed = 500, .learning_rate = 0.1, .weight_decay = 0.01, .gradient_scale = 0.5},
      0.9,
      true};
  check([&](Backend& backend) -> Results {
    const Buffer<real> gradients(backend, noise(kCount, 1));
    Buffer<real> values(backend, noise(kCount, 2)), velocity(backend, noise(kCount, 3));
    Activations copy(backend, poison(kCount));
    run(backend,
        Momentum{.step = step, .gradients = gradients, .values = values, .velocity = velocity, .copy = copy});
    return {values.values(), velocity.values(), copy.values()};
  });
}
