// Convolution, its gradients, and the linear layer, against the definition.
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

// Filters of one row or one column on images of every width and height around their tiles, padded and not.
std::vector<Conv2dCase> lines() {
  std::vector<Conv2dCase> cases;
  for (const int64_t taps : {3, 7})
    for (const int64_t pad : {taps / 2, int64_t{0}})
      for (int64_t size = taps - 2 * pad; size <= 20; ++size) {
        cases.push_back({"a row", convolution(2, 2, size, 5, 17, 1, taps, 1, 1, {0, 0, pad, pad}, 1)});
        cases.push_back({"a column", convolution(2, size, 2, 17, 5, taps, 1, 1, 1, {pad, pad, 0, 0}, 2)});
      }
  return cases;
}

int64_t aligned_to(int64_t unit, int64_t size) { return (size + unit - 1) / unit * unit; }

// Runs f(backend, geometry, sizes, what a rounding error may grow by) on each case, by each algorithm. A
// fresh backend has no more workspace than the case asked for.
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
      backend->reserve_workspace(backend->workspace(g));
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
        backend.conv2d_forward(g, x, {weight}, {}, y);
        backend.conv2d_forward(g, x, {weight}, {.bias = bias_buffer}, y_biased);
        const double tolerance = amplification.image * sum_tolerance(g.r * g.s * g.c + 1, 1),
                     rounding = rounding_of(backend);
        check_close(y.values(), conv2d_reference(g, x.values(), weight.values(), {}), tolerance, rounding);
        // y may be rounded before the bias, of up to 1, is added, and again.
        check_close(y_biased.values(), conv2d_reference(g, x.values(), weight.values(), bias),
                    tolerance + rounding, 2 * rounding);
      });
}

TEST_CASE("conv2d: what an epilogue makes of the sums") {
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
        // Factors reach sqrt(2); a sum may be rounded before it is multiplied.
        const double rounding = rounding_of(backend);
        const double tolerance =
            1.5 * (amplification.image * sum_tolerance(g.r * g.s * g.c + 2, 1) + rounding * (largest + 1));
        const auto check = [&](const ConvolutionEpilogue& epilogue, const auto& expected_of) {
          Activations y(backend, poison(size.y));
          backend.conv2d_forward(g, x, {weight}, epilogue, y);
          std::vector<double> expected = sums;
          for (size_t i = 0; i < expected.size(); ++i) {
            const double linear = expected_of(expected[i], i % static_cast<size_t>(g.k)) +
                                  (epilogue.residual != nullptr ? static_cast<double>(skip[i]) : 0.0);
            expected[i] = epilogue.relu ? std::max(0.0, linear) : linear;
          }
          check_close(y.values(), expected, tolerance, 2 * rounding);
          if (!backend.finishes_before_storing()) return;
          ConvolutionEpilogue elsewhere = epilogue;
          if (epilogue.residual != nullptr) {
            Activations over(backend, noise(size.y, 3));
            elsewhere.residual = over;
            backend.conv2d_forward(g, x, {weight}, elsewhere, over);
            check_same_bits(over.values(), y.values());
            return;
          }
          for (const int64_t before : {5, 16}) {
            elsewhere.y_channels = aligned_to(16, g.k) + 2 * before;
            std::vector<real> all = noise(size.y / g.k * elsewhere.y_channels, 9);
            Activations among(backend, all);
            backend.conv2d_forward(g, x, {weight}, elsewhere, among.at(before));
            const std::vector<real> alone = y.values();
            for (int64_t i = 0; i < size.y; ++i)
              all[static_cast<size_t>(i / g.k * elsewhere.y_channels + before + i % g.k)] =
                  alone[static_cast<size_t>(i)];
            check_same_bits(among.values(), all);
          }
        };
        constexpr double kEpsilon = 0.01;
        const auto normalised = [&](double sum, size_t k) {
          const double deviation = std::sqrt(static_cast<double>(variance[k]) + kEpsilon);
          return (sum - static_cast<double>(mean[k])) / deviation * static_cast<double>(scale[k]) +
                 static_cast<double>(shift[k]);
        };
        const NormOperands norm{scale_buffer, shift_buffer, mean_buffer, variance_buffer};
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
    backend.pack_weight(one, weight, packed);
    Activations y(backend, poison(size.y)), y_packed(backend, poison(size.y));
    backend.conv2d_forward(g, x, {weight}, {}, y);
    backend.conv2d_forward(g, x, {nullptr, packed}, {}, y_packed);
    check_same_bits(y_packed.values(), y.values());
  });
}

TEST_CASE("conv2d's data gradient is the transpose of the forward pass") {
  each_case(
      [](Backend& backend, const Conv2dGeometry& g, const Conv2dSizes& size, Amplification amplification) {
        const Activations dy(backend, noise(size.y, 1)), weight(backend, noise(size.weight, 2));
        check_both_writes_of_activations(
            backend, conv2d_data_gradient(g, dy.values(), weight.values()),
            amplification.image * sum_tolerance(g.r * g.s * g.k, 1),
            [&](activation* dx, Write write) { backend.conv2d_backward_data(g, dy, weight, dx, write); });
      });
}

TEST_CASE("conv2d's weight gradient sums over all images and pixels") {
  each_case(
      [](Backend& backend, const Conv2dGeometry& g, const Conv2dSizes& size, Amplification amplification) {
        const Activations x(backend, noise(size.x, 1)), dy(backend, noise(size.y, 2));
        check_both_writes(
            backend, conv2d_weight_gradient(g, x.values(), dy.values()),
            amplification.weight * sum_tolerance(g.n * g.p * g.q, 1),
            [&](real* dweight, Write write) { backend.conv2d_backward_weight(g, x, dy, dweight, write); });
      });
}

TEST_CASE("linear and its gradients compute their definitions") {
  const auto backend = tested_backend(2);
  for (const LinearGeometry& g : linear_cases()) {
    CAPTURE(g.n);
    CAPTURE(g.in);
    CAPTURE(g.out);
    const Conv2dGeometry as_conv2d = convolution(g.n, 1, 1, g.in, g.out, 1, 1, 1, 1, {0, 0, 0, 0}, g.ghost);
    backend->reserve_workspace(backend->workspace(g));
    const std::vector<real> x = noise(g.n * g.in, 1), weight = noise(g.out * g.in, 2), bias = noise(g.out, 3),
                            dy = noise(g.n * g.out, 4);
    const Buffer<real> x_buffer(*backend, x), weight_buffer(*backend, weight), bias_buffer(*backend, bias),
        dy_buffer(*backend, dy);
    Buffer<real> y(*backend, poison(g.n * g.out));
    backend->linear_forward(g, x_buffer, weight_buffer, bias_buffer, y);
    check_close(y.values(), conv2d_reference(as_conv2d, x, weight, bias), sum_tolerance(g.in + 1, 1));
    backend->linear_forward(g, x_buffer, weight_buffer, nullptr, y);
    check_close(y.values(), conv2d_reference(as_conv2d, x, weight, {}), sum_tolerance(g.in, 1));
    check_both_writes(*backend, conv2d_data_gradient(as_conv2d, dy, weight), sum_tolerance(g.out, 1),
                      [&](activation* dx, Write write) {
                        backend->linear_backward_data(g, dy_buffer, weight_buffer, dx, write);
                      });
    check_both_writes(*backend, conv2d_weight_gradient(as_conv2d, x, dy), sum_tolerance(g.n, 1),
                      [&](real* dweight, Write write) {
                        backend->linear_backward_weight(g, x_buffer, dy_buffer, dweight, write);
                      });
  }
}

TEST_CASE("convolutions and linear layers without images do nothing") {
  const auto backend = tested_backend(2);
  Conv2dGeometry g = conv2d_cases().front().geometry;
  g.n = 0;
  CHECK_NOTHROW(backend->reserve_workspace(backend->workspace(g)));
  backend->conv2d_forward(g, nullptr, {}, {}, nullptr);
  backend->conv2d_backward_data(g, nullptr, nullptr, nullptr, Write::overwrite);
  backend->conv2d_backward_weight(g, nullptr, nullptr, nullptr, Write::overwrite);
  const LinearGeometry linear{.n = 0, .in = 3, .out = 2, .ghost = 1};
  backend->linear_forward(linear, nullptr, nullptr, nullptr, nullptr);
  backend->linear_backward_data(linear, nullptr, nullptr, nullptr, Write::add);
  backend->linear_backward_weight(linear, nullptr, nullptr, nullptr, Write::add);
}
