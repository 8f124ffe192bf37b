// Convolution of a normalised input: equal to norm, ReLU, convolution and sum one after another, and its bits
// do not depend on threads or micro-batches.
#include "cases/conv2d.h"
#include "support/activations.h"
#include "support/reference_conv2d.h"
#include "support/tested_backend.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

constexpr double kEpsilon = 1e-3;
// What values a norm gives here, at most: noise of deviation 0.6 over sqrt(its variance), times scale, plus
// shift.
constexpr double kNormalised = 4;

BatchNormGeometry norm_of(const Conv2dGeometry& g, bool relu) {
  return {.n = g.n, .pixels = g.h * g.w, .c = g.c, .ghost = g.ghost, .epsilon = kEpsilon, .relu = relu};
}

struct Problem {
  std::vector<real> x, weight, residual, dy, scale, shift;

  explicit Problem(const Conv2dGeometry& g)
      : x(noise(Conv2dSizes(g).x, 1)),
        weight(noise(Conv2dSizes(g).weight, 2)),
        residual(noise(Conv2dSizes(g).y, 3)),
        dy(noise(Conv2dSizes(g).y, 4)),
        scale(noise(g.c, 5)),
        shift(noise(g.c, 6)) {
    for (real& v : x) v += 1;  // a mean that is not small
  }
};

// A problem on a backend, with its statistics.
struct Operands {
  Activations x, weight, residual, dy;
  Buffer<real> scale, shift, mean, variance;

  Operands(Backend& backend, const BatchNormGeometry& norm, const Problem& problem)
      : x(backend, problem.x),
        weight(backend, problem.weight),
        residual(backend, problem.residual),
        dy(backend, problem.dy),
        scale(backend, problem.scale),
        shift(backend, problem.shift),
        mean(backend, poison(norm.ghosts() * norm.c)),
        variance(backend, poison(norm.ghosts() * norm.c)) {
    backend.reserve_workspace(backend.workspace(norm));
    backend.ghost_moments(norm, x, mean, variance);
  }
  NormOperands norm() const { return {scale, shift, mean, variance}; }
};

// f(backend, convolution, norm, operands) for each case that is fused, with and without ReLU.
template <class F>
void each_case(const F& f) {
  int64_t cases = 0;
  for (const auto& test : conv2d_cases())
    for (const bool relu : {false, true}) {
      const Conv2dGeometry& g = test.geometry;
      const auto backend = tested_backend(2, tested_algorithms().back());
      if (!backend->fuses_norm(g)) continue;
      ++cases;
      CAPTURE(test.name);
      CAPTURE(relu);
      const BatchNormGeometry norm = norm_of(g, relu);
      const Operands operands(*backend, norm, Problem(g));
      backend->reserve_workspace(backend->workspace(g, norm));
      f(*backend, g, norm, operands);
    }
  CHECK(cases >= 20);
}

std::vector<real> normalised(Backend& backend, const BatchNormGeometry& norm, const Operands& operands) {
  Activations y(backend, poison(norm.n * norm.pixels * norm.c));
  backend.normalise(norm, operands.x, operands.norm(), nullptr, y);
  return y.values();
}

double tolerance_of(double amplification, int64_t length) {
  return amplification * sum_tolerance(length, kNormalised);
}

std::vector<double> widened(const std::vector<real>& values) { return {values.begin(), values.end()}; }

}  // namespace

TEST_CASE("norm_conv2d computes its definition, with and without residual") {
  each_case([](Backend& backend, const Conv2dGeometry& g, const BatchNormGeometry& norm,
               const Operands& operands) {
    std::vector<double> expected =
        conv2d_reference(g, normalised(backend, norm, operands), operands.weight.values(), {});
    const int64_t size = Conv2dSizes(g).y;
    const std::vector<real> residual = operands.residual.values();
    const double rounding = rounding_of(backend);
    Activations y(backend, poison(size)), sum(backend, poison(size));
    Buffer<real> mean(backend, poison(norm.ghosts() * g.k)), variance(backend, poison(norm.ghosts() * g.k));
    backend.norm_conv2d_forward(g, norm, operands.x, operands.norm(), operands.weight, nullptr, y, nullptr,
                                nullptr);
    const double amplification = winograd_amplification(g.r, g.s).image;
    check_close(y.values(), expected, tolerance_of(amplification, g.c * g.r * g.s), rounding);
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += static_cast<double>(residual[i]);
    backend.norm_conv2d_forward(g, norm, operands.x, operands.norm(), operands.weight, operands.residual, sum,
                                mean, variance);
    check_close(sum.values(), expected, tolerance_of(amplification, g.c * g.r * g.s + 1), rounding);
  });
}

TEST_CASE("norm_conv2d's moments are those of its output") {
  each_case(
      [](Backend& backend, const Conv2dGeometry& g, const BatchNormGeometry& norm, const Operands& operands) {
        const int64_t count = norm.ghosts() * g.k;
        Activations y(backend, poison(Conv2dSizes(g).y));
        Buffer<real> mean(backend, poison(count)), variance(backend, poison(count)),
            plain_mean(backend, poison(count)), plain_variance(backend, poison(count));
        backend.norm_conv2d_forward(g, norm, operands.x, operands.norm(), operands.weight, operands.residual,
                                    y, mean, variance);
        const BatchNormGeometry out{
            .n = g.n, .pixels = g.p * g.q, .c = g.k, .ghost = g.ghost, .epsilon = kEpsilon, .relu = false};
        backend.reserve_workspace(backend.workspace(out));
        backend.ghost_moments(out, y, plain_mean, plain_variance);
        // A tile's 16 values may be summed in real; they are sums of r s c products themselves.
        const double magnitude = kNormalised * std::sqrt(static_cast<double>(g.r * g.s * g.c));
        check_close(mean.values(), widened(plain_mean.values()), sum_tolerance(16, magnitude) / 16);
        check_close(variance.values(), widened(plain_variance.values()),
                    sum_tolerance(16, magnitude * magnitude) / 16);
      });
}

TEST_CASE("norm_conv2d's weight gradient is that of the normalised input") {
  each_case(
      [](Backend& backend, const Conv2dGeometry& g, const BatchNormGeometry& norm, const Operands& operands) {
        const std::vector<real> x = normalised(backend, norm, operands);
        check_both_writes(backend, conv2d_weight_gradient(g, x, operands.dy.values()),
                          tolerance_of(winograd_amplification(g.r, g.s).weight, g.n * g.p * g.q),
                          [&](real* dweight, Write write) {
                            backend.norm_conv2d_backward_weight(g, norm, operands.x, operands.norm(),
                                                                operands.dy, dweight, write);
                          });
      });
}

TEST_CASE("norm_conv2d's data gradient goes through convolution, ReLU and norm") {
  each_case([](Backend& backend, const Conv2dGeometry& g, const BatchNormGeometry& norm,
               const Operands& operands) {
    // One after another, what is between them being rounded as the fused kernel does.
    const int64_t size = Conv2dSizes(g).x;
    Activations dnormalised(backend, poison(size)), dx(backend, poison(size)), room(backend, poison(size)),
        other_dx(backend, poison(size));
    Buffer<real> dscale(backend, poison(g.c)), dshift(backend, poison(g.c)),
        other_scale(backend, poison(g.c)), other_shift(backend, poison(g.c));
    backend.reserve_workspace(backend.workspace(g));
    backend.conv2d_backward_data(g, operands.dy, operands.weight, dnormalised, Write::overwrite);
    backend.reserve_workspace(backend.workspace(norm));
    backend.ghost_batch_norm_backward(norm, operands.x, dnormalised, operands.norm(), dx, Write::overwrite,
                                      dscale, dshift, Write::overwrite);
    backend.reserve_workspace(backend.workspace(g, norm));
    const auto backward = [&](activation* to, Write write_dx, real* to_scale, real* to_shift, Write write) {
      backend.norm_conv2d_backward_data(g, norm, operands.x, operands.norm(), operands.dy, operands.weight,
                                        room, to, write_dx, to_scale, to_shift, write);
    };
    // Each gradient is a sum of r s k products times 1 / sqrt(epsilon) at most; the parameters' are sums of
    // them.
    const double tolerance = tolerance_of(winograd_amplification(g.r, g.s).image, g.r * g.s * g.k) /
                             std::sqrt(kEpsilon),
                 root = std::sqrt(static_cast<double>(norm.n * norm.pixels));
    check_both_writes_of_activations(backend, widened(dx.values()), 4 * tolerance,
                                     [&](activation* to, Write write) {
                                       backward(to, write, other_scale, other_shift, Write::overwrite);
                                     });
    check_both_writes(backend, widened(dscale.values()), tolerance * root, [&](real* to, Write write) {
      if (write == Write::add)
        backward(other_dx, Write::overwrite, other_scale, other_shift, Write::overwrite);
      backward(other_dx, Write::overwrite, to, other_shift, write);
    });
    check_both_writes(backend, widened(dshift.values()), tolerance * root, [&](real* to, Write write) {
      backward(other_dx, Write::overwrite, other_scale, to, write);
    });
  });
}

namespace {

// Three ghosts, taken `at_once` at a time.
Results run_in_parts(Backend& backend, Conv2dGeometry g, int64_t at_once) {
  g.n = 3 * g.ghost;
  const Problem problem(g);
  Operands all(backend, norm_of(g, true), problem);
  const Conv2dSizes size(g);
  const int64_t x_image = size.x / g.n, y_image = size.y / g.n;
  Activations y(backend, poison(size.y)), dx(backend, poison(size.x)), room(backend, poison(size.x));
  Buffer<real> mean(backend, poison(3 * g.k)), variance(backend, poison(3 * g.k)),
      dweight(backend, poison(size.weight)), dscale(backend, poison(g.c)), dshift(backend, poison(g.c));
  for (int64_t ghost = 0; ghost < 3; ghost += at_once) {
    g.n = std::min<int64_t>(at_once, 3 - ghost) * g.ghost;
    const BatchNormGeometry norm = norm_of(g, true);
    const int64_t first = ghost * g.ghost;
    const Write write = ghost == 0 ? Write::overwrite : Write::add;
    const NormOperands operands{all.scale, all.shift, all.mean.data() + ghost * g.c,
                                all.variance.data() + ghost * g.c};
    backend.reserve_workspace(backend.workspace(g, norm));
    backend.norm_conv2d_forward(g, norm, all.x.at(first * x_image), operands, all.weight,
                                all.residual.at(first * y_image), y.at(first * y_image),
                                mean.data() + ghost * g.k, variance.data() + ghost * g.k);
    backend.norm_conv2d_backward_weight(g, norm, all.x.at(first * x_image), operands,
                                        all.dy.at(first * y_image), dweight, write);
    backend.norm_conv2d_backward_data(g, norm, all.x.at(first * x_image), operands,
                                      all.dy.at(first * y_image), all.weight, room, dx.at(first * x_image),
                                      Write::overwrite, dscale, dshift, write);
  }
  return {y.values(),       mean.values(),   variance.values(), dx.values(),
          dweight.values(), dscale.values(), dshift.values()};
}

}  // namespace

TEST_CASE("norm_conv2d gives equal bits for any number of threads and any micro-batch") {
  for (const auto& test : conv2d_cases()) {
    CAPTURE(test.name);
    const auto one_thread = tested_backend(1, tested_algorithms().back());
    if (!one_thread->fuses_norm(test.geometry)) continue;
    const Results expected = run_in_parts(*one_thread, test.geometry, 3);
    for (const int threads : {1, 2, 3, 8})
      for (const int64_t at_once : {1, 2, 3}) {
        CAPTURE(threads);
        CAPTURE(at_once);
        const auto backend = tested_backend(threads, tested_algorithms().back());
        const Results results = run_in_parts(*backend, test.geometry, at_once);
        for (size_t i = 0; i < expected.size(); ++i) {
          CAPTURE(i);
          check_same_bits(results[i], expected[i]);
        }
      }
  }
}
