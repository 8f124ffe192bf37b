// Convolutions, linear layers and their gradients, compared with their definitions.
#include <algorithm>
#include <cmath>

#include "cases/conv2d.h"
#include "cases/linear.h"
#include "support/activations.h"
#include "support/reference_conv2d.h"
#include "support/tested_backend.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

// Returns cases with filters of one row or one column, with and without padding, on images of every width or
// height around a tile's, and of widths around whole strips of tiles.
std::vector<Conv2dCase> lines() {
  std::vector<Conv2dCase> cases;
  for (const int64_t taps : {3, 7})
    for (const int64_t pad : {taps / 2, int64_t{0}})
      for (int64_t size = taps - 2 * pad; size <= 20; ++size) {
        cases.push_back({"a row", convolution(2, 2, size, 5, 17, 1, taps, 1, 1, {0, 0, pad, pad}, 1)});
        cases.push_back({"a column", convolution(2, size, 2, 17, 5, taps, 1, 1, 1, {pad, pad, 0, 0}, 2)});
      }
  for (const int64_t taps : {3, 7})
    for (const int64_t width : {30, 31, 33, 34, 61, 62, 63, 64, 91, 96, 123, 126})
      cases.push_back(
          {"a long row", convolution(1, 2, width, 3, 5, 1, taps, 1, 1, {0, 0, taps / 2, taps / 2}, 1)});
  return cases;
}

int64_t aligned_to(int64_t unit, int64_t size) { return (size + unit - 1) / unit * unit; }

// Calls f(backend, geometry, sizes, growth of rounding errors) for each case and each algorithm. The backend
// is fresh, so it has no more workspace than the case asks for.
template <class F>
void each_case(const F& f) {
  std::vector<Conv2dCase> cases = conv2d_cases(), more = lines();
  cases.insert(cases.end(), more.begin(), more.end());
  for (const auto algorithm : tested_algorithms()) {
    const bool winograd = algorithm == ConvolutionAlgorithm::winograd;
    for (const auto& test : cases) {
      CAPTURE(test.name);
      CAPTURE(winograd);
      CAPTURE(test.geometry.h);
      CAPTURE(test.geometry.w);
      const auto& g = test.geometry;
      if (!is_tested(g)) continue;
      const auto backend = tested_backend(2, algorithm);
      f(*backend, g, Conv2dSizes(g), winograd ? winograd_amplification(g.r, g.s) : Amplification{1, 1});
    }
  }
}

}  // namespace

TEST_CASE("conv2d computes its definition, with and without bias") {
  each_case(
      [](Backend& backend, const Conv2dGeometry& g, const Conv2dSizes& size, Amplification amplification) {
        const Activations x(backend, noise(size.x, 1)), weight(backend, noise(size.weight, 2));
        const std::vector<real> bias = noise(g.k, 3);
        const Buffer<real> bias_buffer(backend, bias);
        Activations y(backend, poison(size.y)), y_biased(backend, poison(size.y));
        run(backend, Conv2dForward{.geometry = g, .x = x, .weight = {weight}, .y = y});
        run(backend,
            Conv2dForward{
                .geometry = g, .x = x, .weight = {weight}, .epilogue = {.bias = bias_buffer}, .y = y_biased});
        const double tolerance = amplification.image * sum_tolerance(g.r * g.s * g.c + 1, 1),
                     rounding = rounding_of(backend);
        check_close(y.values(), conv2d_reference(g, x.values(), weight.values(), {}), tolerance, rounding);
        // The kernel may round y before and after it adds the bias, which is at most 1.
        check_close(y_biased.values(), conv2d_reference(g, x.values(), weight.values(), bias),
                    tolerance + rounding, 2 * rounding);
      });
}

TEST_CASE("conv2d applies its epilogue to the sums") {
  each_case(
      [](Backend& backend, const Conv2dGeometry& g, const Conv2dSizes& size, Amplification amplification) {
        const Activations x(backend, noise(size.x, 1)), weight(backend, noise(size.weight, 2)),
            residual(backend, noise(size.y, 3));
        const std::vector<real> scale = noise(g.k, 4), shift = noise(g.k, 5), mean = noise(g.k, 6),
                                bias = noise(g.k, 7);
        std::vector<real> variance = noise(g.k, 8);
        for (real& v : variance) v = v * v + real{0.5};
        const Buffer<real> scale_buffer(backend, scale), shift_buffer(backend, shift),
            mean_buffer(backend, mean), variance_buffer(backend, variance), bias_buffer(backend, bias);
        const std::vector<double> sums = conv2d_reference(g, x.values(), weight.values(), {});
        const std::vector<real> skip = residual.values();
        const double largest = std::abs(*std::max_element(
            sums.begin(), sums.end(), [](double a, double b) { return std::abs(a) < std::abs(b); }));
        // Factors are at most sqrt(2). The kernel may round a sum before it multiplies.
        const double rounding = rounding_of(backend);
        const double tolerance =
            1.5 * (amplification.image * sum_tolerance(g.r * g.s * g.c + 2, 1) + rounding * (largest + 1));
        const auto check = [&](const ConvolutionEpilogue& epilogue, const auto& expected_of) {
          Activations y(backend, poison(size.y));
          Conv2dForward call{.geometry = g, .x = x, .weight = {weight}, .epilogue = epilogue, .y = y};
          run(backend, call);
          std::vector<double> expected = sums;
          for (size_t i = 0; i < expected.size(); ++i) {
            const double linear = expected_of(expected[i], i % static_cast<size_t>(g.k)) +
                                  (epilogue.residual != nullptr ? static_cast<double>(skip[i]) : 0.0);
            expected[i] = epilogue.relu ? std::max(0.0, linear) : linear;
          }
          check_close(y.values(), expected, tolerance, 2 * rounding);
          if (!backend.capabilities().finishes_before_storing) return;
          if (epilogue.residual != nullptr) {
            Activations over(backend, noise(size.y, 3));
            call.epilogue.residual = call.y = over;
            run(backend, call);
            check_same_bits(over.values(), y.values());
            return;
          }
          for (const int64_t before : {5, 16}) {
            const int64_t width = call.epilogue.y_channels = aligned_to(16, g.k) + 2 * before;
            const std::vector<real> around = noise(size.y / g.k * width, 9);
            Activations among(backend, around);
            call.y = among.at(before);
            run(backend, call);
            check_same_bits(among.values(), with_channels(around, width, before, y.values(), g.k));
          }
        };
        constexpr double kEpsilon = 0.01;
        const auto normalised = [&](double sum, size_t k) {
          const double deviation = std::sqrt(static_cast<double>(variance[k]) + kEpsilon);
          return (sum - static_cast<double>(mean[k])) / deviation * static_cast<double>(scale[k]) +
                 static_cast<double>(shift[k]);
        };
        const NormOperands norm{
            .scale = scale_buffer, .shift = shift_buffer, .mean = mean_buffer, .variance = variance_buffer};
        check({.norm = norm, .epsilon = kEpsilon}, normalised);
        check({.norm = norm, .epsilon = kEpsilon, .residual = residual, .relu = true}, normalised);
        check({.relu = true}, [](double sum, size_t) { return sum; });
        check({.bias = bias_buffer, .factor = 0.17, .residual = residual, .relu = true},
              [&](double sum, size_t k) { return 0.17 * (sum + static_cast<double>(bias[k])); });
        check({.factor = -1.25, .residual = residual}, [](double sum, size_t) { return -1.25 * sum; });
      });
}

TEST_CASE("conv2d: packed weights serve any number of images, and change no bit") {
  each_case([](Backend& backend, const Conv2dGeometry& g, const Conv2dSizes& size, Amplification) {
    Conv2dGeometry one = g;
    one.n = one.ghost = 1;
    const int64_t packed_size = backend.packed_weight_size(one);
    if (packed_size == 0) return;
    CHECK(backend.packed_weight_size(g) == packed_size);
    const Activations x(backend, noise(size.x, 1)), weight(backend, noise(size.weight, 2));
    Buffer<real> packed(backend, poison(packed_size));
    run(backend, PackWeight{.geometry = one, .weight = weight, .packed = packed});
    Activations y(backend, poison(size.y)), y_packed(backend, poison(size.y));
    run(backend, Conv2dForward{.geometry = g, .x = x, .weight = {weight}, .y = y});
    run(backend, Conv2dForward{.geometry = g, .x = x, .weight = {.packed = packed}, .y = y_packed});
    check_same_bits(y_packed.values(), y.values());
  });
}

TEST_CASE("conv2d's data gradient is the transpose of the forward pass") {
  each_case(
      [](Backend& backend, const Conv2dGeometry& g, const Conv2dSizes& size, Amplification amplification) {
        const Activations dy(backend, noise(size.y, 1)), weight(backend, noise(size.weight, 2));
        check_both_writes_of_activations(
            backend, conv2d_data_gradient(g, dy.values(), weight.values()),
            amplification.image * sum_tolerance(g.r * g.s * g.k, 1), [&](activation* dx, Write write) {
              return Conv2dBackwardData{.geometry = g, .dy = dy, .weight = weight, .dx = dx, .write = write};
            });
      });
}

TEST_CASE("conv2d's weight gradient sums over all images and pixels") {
  each_case([](Backend& backend, const Conv2dGeometry& g, const Conv2dSizes& size,
               Amplification amplification) {
    const Activations x(backend, noise(size.x, 1)), dy(backend, noise(size.y, 2));
    check_both_writes(
        backend, conv2d_weight_gradient(g, x.values(), dy.values()),
        amplification.weight * sum_tolerance(g.n * g.p * g.q, 1), [&](real* dweight, Write write) {
          return Conv2dBackwardWeight{.geometry = g, .x = x, .dy = dy, .dweight = dweight, .write = write};
        });
  });
}

TEST_CASE("linear and its gradients compute their definitions") {
  const auto backend = tested_backend(2);
  for (const LinearGeometry& g : linear_cases()) {
    CAPTURE(g.n);
    CAPTURE(g.in);
    CAPTURE(g.out);
    const Conv2dGeometry as_conv2d = convolution(g.n, 1, 1, g.in, g.out, 1, 1, 1, 1, {0, 0, 0, 0}, g.ghost);
    const std::vector<real> x = noise(g.n * g.in, 1), weight = noise(g.out * g.in, 2), bias = noise(g.out, 3),
                            dy = noise(g.n * g.out, 4);
    const Buffer<real> x_buffer(*backend, x), weight_buffer(*backend, weight), bias_buffer(*backend, bias),
        dy_buffer(*backend, dy);
    Buffer<real> y(*backend, poison(g.n * g.out));
    LinearForward forward{.geometry = g, .x = x_buffer, .weight = weight_buffer, .bias = bias_buffer, .y = y};
    run(*backend, forward);
    check_close(y.values(), conv2d_reference(as_conv2d, x, weight, bias), sum_tolerance(g.in + 1, 1));
    forward.bias = nullptr;
    run(*backend, forward);
    check_close(y.values(), conv2d_reference(as_conv2d, x, weight, {}), sum_tolerance(g.in, 1));
    check_both_writes(
        *backend, conv2d_data_gradient(as_conv2d, dy, weight), sum_tolerance(g.out, 1),
        [&](activation* dx, Write write) {
          return LinearBackwardData{
              .geometry = g, .dy = dy_buffer, .weight = weight_buffer, .dx = dx, .write = write};
        });
    check_both_writes(
        *backend, conv2d_weight_gradient(as_conv2d, x, dy), sum_tolerance(g.n, 1),
        [&](real* dweight, Write write) {
          return LinearBackwardWeight{
              .geometry = g, .x = x_buffer, .dy = dy_buffer, .dweight = dweight, .write = write};
        });
  }
}

TEST_CASE("convolutions and linear layers without images do nothing") {
  const auto backend = tested_backend(2);
  Conv2dGeometry g = conv2d_cases().front().geometry;
  g.n = 0;
  run(*backend, Conv2dForward{.geometry = g, .x = nullptr, .weight = {}, .y = nullptr});
  run(*backend,
      Conv2dBackwardData{
          .geometry = g, .dy = nullptr, .weight = nullptr, .dx = nullptr, .write = Write::overwrite});
  run(*backend,
      Conv2dBackwardWeight{
          .geometry = g, .x = nullptr, .dy = nullptr, .dweight = nullptr, .write = Write::overwrite});
  const LinearGeometry linear{.n = 0, .in = 3, .out = 2, .ghost = 1};
  run(*backend,
      LinearForward{.geometry = linear, .x = nullptr, .weight = nullptr, .bias = nullptr, .y = nullptr});
  run(*backend,
      LinearBackwardData{
          .geometry = linear, .dy = nullptr, .weight = nullptr, .dx = nullptr, .write = Write::add});
  run(*backend,
      LinearBackwardWeight{
          .geometry = linear, .x = nullptr, .dy = nullptr, .dweight = nullptr, .write = Write::add});
}
