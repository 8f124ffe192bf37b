// Convolution, its gradients, and the linear layer, against the definition.
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
        backend.conv2d_forward(g, x, weight, nullptr, y);
        backend.conv2d_forward(g, x, weight, bias_buffer, y_biased);
        const double tolerance = amplification.image * sum_tolerance(g.r * g.s * g.c + 1, 1),
                     rounding = rounding_of(backend);
        check_close(y.values(), conv2d_reference(g, x.values(), weight.values(), {}), tolerance, rounding);
        // y may be rounded before the bias, of up to 1, is added, and again.
        check_close(y_biased.values(), conv2d_reference(g, x.values(), weight.values(), bias),
                    tolerance + rounding, 2 * rounding);
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
  backend->conv2d_forward(g, nullptr, nullptr, nullptr, nullptr);
  backend->conv2d_backward_data(g, nullptr, nullptr, nullptr, Write::overwrite);
  backend->conv2d_backward_weight(g, nullptr, nullptr, nullptr, Write::overwrite);
  const LinearGeometry linear{.n = 0, .in = 3, .out = 2, .ghost = 1};
  backend->linear_forward(linear, nullptr, nullptr, nullptr, nullptr);
  backend->linear_backward_data(linear, nullptr, nullptr, nullptr, Write::add);
  backend->linear_backward_weight(linear, nullptr, nullptr, nullptr, Write::add);
}
