// Convolution of a normalised input: equal to norm, ReLU, convolution and sum one after another, and its bits
// do not depend on threads or micro-batches.
#include "cases/conv2d.h"
#include "support/compare.h"
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
  Buffer<real> x, weight, residual, dy, scale, shift, mean, variance;

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

// f(backend, convolution, norm, problem, operands) for each case that Winograd's algorithm takes, with and
// without ReLU.
template <class F>
void each_case(const F& f) {
  int64_t cases = 0;
  for (const auto& test : conv2d_cases())
    for (const bool relu : {false, true}) {
      const Conv2dGeometry& g = test.geometry;
      const auto backend = tested_backend(2, ConvolutionAlgorithm::winograd);
      if (!backend->fuses_norm(g)) continue;
      ++cases;
      CAPTURE(test.name);
      CAPTURE(relu);
      const BatchNormGeometry norm = norm_of(g, relu);
      const Problem problem(g);
      const Operands operands(*backend, norm, problem);
      backend->reserve_workspace(backend->workspace(g, norm));
      f(*backend, g, norm, problem, operands);
    }
  CHECK(cases >= 20);
}

std::vector<real> normalised(Backend& backend, const BatchNormGeometry& norm, const Operands& operands) {
  Buffer<real> y(backend, poison(norm.n * norm.pixels * norm.c));
  backend.normalise(norm, operands.x, operands.norm(), y);
  return y.values();
}

double tolerance_of(int64_t length) { return kWinogradAmplification * sum_tolerance(length, kNormalised); }

std::vector<double> widened(const std::vector<real>& values) { return {values.begin(), values.end()}; }

}  // namespace

TEST_CASE("norm_conv2d computes its definition, with and without residual") {
  each_case([](Backend& backend, const Conv2dGeometry& g, const BatchNormGeometry& norm,
               const Problem& problem, const Operands& operands) {
    std::vector<double> expected =
        conv2d_reference(g, normalised(backend, norm, operands), problem.weight, {});
    const int64_t size = Conv2dSizes(g).y;
    Buffer<real> y(backend, poison(size)), mean(backend, poison(norm.ghosts() * g.k)),
        variance(backend, poison(norm.ghosts() * g.k));
    backend.norm_conv2d_forward(g, norm, operands.x, operands.norm(), operands.weight, nullptr, y, nullptr,
                                nullptr);
    check_close(y.values(), expected, tolerance_of(g.c * 9));
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += static_cast<double>(problem.residual[i]);
    Buffer<real> sum(backend, poison(size));
    backend.norm_conv2d_forward(g, norm, operands.x, operands.norm(), operands.weight, operands.residual, sum,
                                mean, variance);
    check_close(sum.values(), expected, tolerance_of(g.c * 9 + 1));
  });
}

TEST_CASE("norm_conv2d's moments are those of its output") {
  each_case([](Backend& backend, const Conv2dGeometry& g, const BatchNormGeometry& norm, const Problem&,
               const Operands& operands) {
    const int64_t count = norm.ghosts() * g.k;
    Buffer<real> y(backend, poison(Conv2dSizes(g).y)), mean(backend, poison(count)),
        variance(backend, poison(count)), plain_mean(backend, poison(count)),
        plain_variance(backend, poison(count));
    backend.norm_conv2d_forward(g, norm, operands.x, operands.norm(), operands.weight, operands.residual, y,
                                mean, variance);
    const BatchNormGeometry out{
        .n = g.n, .pixels = g.p * g.q, .c = g.k, .ghost = g.ghost, .epsilon = kEpsilon, .relu = false};
    backend.reserve_workspace(backend.workspace(out));
    backend.ghost_moments(out, y, plain_mean, plain_variance);
    // A tile's 16 values are summed in real; they are sums of 9 c products themselves.
    const double magnitude = kNormalised * std::sqrt(static_cast<double>(9 * g.c));
    check_close(mean.values(), widened(plain_mean.values()), sum_tolerance(16, magnitude) / 16);
    check_close(variance.values(), widened(plain_variance.values()),
                sum_tolerance(16, magnitude * magnitude) / 16);
  });
}

TEST_CASE("norm_conv2d's weight gradient is that of the normalised input") {
  each_case([](Backend& backend, const Conv2dGeometry& g, const BatchNormGeometry& norm,
               const Problem& problem, const Operands& operands) {
    const std::vector<real> x = normalised(backend, norm, operands);
    check_both_writes(backend, conv2d_weight_gradient(g, x, problem.dy), tolerance_of(g.n * g.p * g.q),
                      [&](real* dweight, Write write) {
                        backend.norm_conv2d_backward_weight(g, norm, operands.x, operands.norm(), operands.dy,
                                                            dweight, write);
                      });
  });
}

TEST_CASE("norm_conv2d's data gradient goes through convolution, ReLU and norm") {
  each_case([](Backend& backend, const Conv2dGeometry& g, const BatchNormGeometry& norm,
               const Problem& problem, const Operands& operands) {
    const std::vector<double> between = conv2d_data_gradient(g, problem.dy, problem.weight);
    const Buffer<real> dnormalised(backend, std::vector<real>(between.begin(), between.end()));
    const int64_t size = Conv2dSizes(g).x;
    Buffer<real> dx(backend, poison(size)), dscale(backend, poison(g.c)), dshift(backend, poison(g.c)),
        room(backend, poison(size));
    backend.reserve_workspace(backend.workspace(norm));
    backend.ghost_batch_norm_backward(norm, operands.x, dnormalised, operands.norm(), dx, Write::overwrite,
                                      dscale, dshift, Write::overwrite);
    backend.reserve_workspace(backend.workspace(g, norm));
    Buffer<real> other_dx(backend, poison(size)), other_scale(backend, poison(g.c)),
        other_shift(backend, poison(g.c));
    const auto backward = [&](activation* to, Write write_dx, real* to_scale, real* to_shift, Write write) {
      backend.norm_conv2d_backward_data(g, norm, operands.x, operands.norm(), operands.dy, operands.weight,
                                        room, to, write_dx, to_scale, to_shift, write);
    };
    // Each gradient is a sum of 9 k products times 1 / sqrt(epsilon) at most; the parameters' are sums of
    // them.
    const double tolerance = tolerance_of(9 * g.k) / std::sqrt(kEpsilon),
                 root = std::sqrt(static_cast<double>(norm.n * norm.pixels));
    check_both_writes(backend, widened(dx.values()), 4 * tolerance, [&](activation* to, Write write) {
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

using Results = std::vector<std::vector<real>>;

// Three ghosts, taken `at_once` at a time.
Results run_in_parts(Backend& backend, Conv2dGeometry g, int64_t at_once) {
  g.n = 3 * g.ghost;
  const Problem problem(g);
  Operands all(backend, norm_of(g, true), problem);
  const Conv2dSizes size(g);
  const int64_t x_image = size.x / g.n, y_image = size.y / g.n;
  Buffer<real> y(backend, poison(size.y)), mean(backend, poison(3 * g.k)), variance(backend, poison(3 * g.k)),
      dx(backend, poison(size.x)), room(backend, poison(size.x)), dweight(backend, poison(size.weight)),
      dscale(backend, poison(g.c)), dshift(backend, poison(g.c));
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
    const auto one_thread = tested_backend(1, ConvolutionAlgorithm::winograd);
    if (!one_thread->fuses_norm(test.geometry)) continue;
    const Results expected = run_in_parts(*one_thread, test.geometry, 3);
    for (const int threads : {1, 2, 3, 8})
      for (const int64_t at_once : {1, 2, 3}) {
        CAPTURE(threads);
        CAPTURE(at_once);
        const auto backend = tested_backend(threads, ConvolutionAlgorithm::winograd);
        const Results results = run_in_parts(*backend, test.geometry, at_once);
        for (size_t i = 0; i < expected.size(); ++i) {
          CAPTURE(i);
          check_same_bits(results[i], expected[i]);
        }
      }
  }
}
