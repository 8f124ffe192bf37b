// Convolutions of a normalised input are equal to norm, ReLU, convolution and sum one after another. Their
// bits do not depend on threads or micro-batches.
#include "cases/conv2d.h"
#include "support/activations.h"
#include "support/reference_conv2d.h"
#include "support/tested_backend.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

constexpr double kEpsilon = 1e-3;
// The largest value that a norm gives here:
// noise of deviation 0.6 over sqrt(its variance), times scale, plus shift.
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

// A problem's operands on a backend, with the statistics of x.
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
    run(backend, GhostMoments{.geometry = norm, .x = x, .mean = mean, .variance = variance});
  }
  NormOperands norm() const { return {.scale = scale, .shift = shift, .mean = mean, .variance = variance}; }
};

// Calls f(backend, convolution, norm, operands) for each case that is fused, with and without ReLU.
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
      f(*backend, g, norm, operands);
    }
  CHECK(cases >= 20);
}

std::vector<real> normalised(Backend& backend, const BatchNormGeometry& norm, const Operands& operands) {
  Activations y(backend, poison(norm.n * norm.pixels * norm.c));
  run(backend,
      Normalise{.geometry = norm, .x = operands.x, .norm = operands.norm(), .residual = nullptr, .y = y});
  return y.values();
}

// Returns the forward pass without residual and moments.
NormConv2dForward forward(const Conv2dGeometry& g, const BatchNormGeometry& norm, const Operands& operands,
                          activation* y) {
  return {.geometry = g,
          .norm_geometry = norm,
          .x = operands.x,
          .norm = operands.norm(),
          .weight = operands.weight,
          .residual = nullptr,
          .y = y,
          .y_mean = nullptr,
          .y_variance = nullptr};
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
    run(backend, forward(g, norm, operands, y));
    const double amplification = winograd_amplification(g.r, g.s).image;
    check_close(y.values(), expected, tolerance_of(amplification, g.c * g.r * g.s), rounding);
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += static_cast<double>(residual[i]);
    NormConv2dForward with_sum = forward(g, norm, operands, sum);
    with_sum.residual = operands.residual;
    with_sum.y_mean = mean;
    with_sum.y_variance = variance;
    run(backend, with_sum);
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
        NormConv2dForward call = forward(g, norm, operands, y);
        call.residual = operands.residual;
        call.y_mean = mean;
        call.y_variance = variance;
        run(backend, call);
        const BatchNormGeometry out{
            .n = g.n, .pixels = g.p * g.q, .c = g.k, .ghost = g.ghost, .epsilon = kEpsilon, .relu = false};
        run(backend, GhostMoments{.geometry = out, .x = y, .mean = plain_mean, .variance = plain_variance});
        // The kernel may sum a tile's 16 values in real. Each is a sum of r s c products itself.
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
                            return NormConv2dBackwardWeight{.geometry = g,
                                                            .norm_geometry = norm,
                                                            .x = operands.x,
                                                            .norm = operands.norm(),
                                                            .dy = operands.dy,
                                                            .dweight = dweight,
                                                            .write = write};
                          });
      });
}

TEST_CASE("norm_conv2d's data gradient goes through convolution, ReLU and norm") {
  each_case([](Backend& backend, const Conv2dGeometry& g, const BatchNormGeometry& norm,
               const Operands& operands) {
    // The reference runs the kernels one after another.
    // It rounds the gradient between them, as the fused kernel does.
    const int64_t size = Conv2dSizes(g).x;
    Activations dnormalised(backend, poison(size)), dx(backend, poison(size)), room(backend, poison(size)),
        other_dx(backend, poison(size));
    Buffer<real> dscale(backend, poison(g.c)), dshift(backend, poison(g.c)),
        other_scale(backend, poison(g.c)), other_shift(backend, poison(g.c));
    run(backend, Conv2dBackwardData{.geometry = g,
                                    .dy = operands.dy,
                                    .weight = operands.weight,
                                    .dx = dnormalised,
                                    .write = Write::overwrite});
    run(backend, GhostBatchNormBackward{.geometry = norm,
                                        .x = operands.x,
                                        .dy = dnormalised,
                                        .norm = operands.norm(),
                                        .dx = dx,
                                        .write_dx = Write::overwrite,
                                        .dscale = dscale,
                                        .dshift = dshift,
                                        .write_parameters = Write::overwrite});
    const auto backward = [&](activation* to, Write write_dx, real* to_scale, real* to_shift, Write write) {
      return NormConv2dBackwardData{.geometry = g,
                                    .norm_geometry = norm,
                                    .x = operands.x,
                                    .norm = operands.norm(),
                                    .dy = operands.dy,
                                    .weight = operands.weight,
                                    .between = room,
                                    .dx = to,
                                    .write_dx = write_dx,
                                    .dscale = to_scale,
                                    .dshift = to_shift,
                                    .write_parameters = write};
    };
    // Each gradient is a sum of r s k products times 1 / sqrt(epsilon) at most;
    // the parameters' are sums of them.
    const double tolerance = tolerance_of(winograd_amplification(g.r, g.s).image, g.r * g.s * g.k) /
                             std::sqrt(kEpsilon),
                 root = std::sqrt(static_cast<double>(norm.n * norm.pixels));
    check_both_writes_of_activations(backend, widened(dx.values()), 4 * tolerance,
                                     [&](activation* to, Write write) {
                                       return backward(to, write, other_scale, other_shift, Write::overwrite);
                                     });
    check_both_writes(backend, widened(dscale.values()), tolerance * root, [&](real* to, Write write) {
      return backward(other_dx, Write::overwrite, to, other_shift, write);
    });
    check_both_writes(backend, widened(dshift.values()), tolerance * root, [&](real* to, Write write) {
      return backward(other_dx, Write::overwrite, other_scale, to, write);
    });
  });
}

namespace {

// Returns the results of three ghost batches, in micro-batches of `at_once` ghost batches.
Results run_in_parts(Backend& backend, Conv2dGeometry g, int64_t at_once) {
  g.n = 3 * g.ghost;
  const Problem problem(g);
  Operands all(backend, norm_of(g, true), problem);
  const Conv2dSizes size(g);
  const int64_t x_image = size.x / g.n, y_image = size.y / g.n;
  Activations y(backend, poison(size.y)), dx(backend, poison(size.x)), room(backend, poison(size.x));
  Buffer<real> mean(backend, poison(3 * g.k)), variance(backend, poison(3 * g.k)),
      dweight(backend, poison(size.weight)), dscale(backend, poison(g.c)), dshift(backend, poison(g.c));
  // The gradients of the ghost batches one by one.
  Buffer<real> dweights(backend, poison(3 * size.weight)), dscales(backend, poison(3 * g.c)),
      dshifts(backend, poison(3 * g.c));
  for (int64_t ghost = 0; ghost < 3; ghost += at_once) {
    g.n = std::min<int64_t>(at_once, 3 - ghost) * g.ghost;
    const BatchNormGeometry norm = norm_of(g, true);
    const int64_t first = ghost * g.ghost;
    const Write write = ghost == 0 ? Write::overwrite : Write::add;
    const NormOperands operands{.scale = all.scale,
                                .shift = all.shift,
                                .mean = all.mean.data() + ghost * g.c,
                                .variance = all.variance.data() + ghost * g.c};
    const activation* const x = all.x.at(first * x_image);
    const activation* const dy = all.dy.at(first * y_image);
    run(backend, NormConv2dForward{.geometry = g,
                                   .norm_geometry = norm,
                                   .x = x,
                                   .norm = operands,
                                   .weight = all.weight,
                                   .residual = all.residual.at(first * y_image),
                                   .y = y.at(first * y_image),
                                   .y_mean = mean.data() + ghost * g.k,
                                   .y_variance = variance.data() + ghost * g.k});
    run(backend, NormConv2dBackwardWeight{.geometry = g,
                                          .norm_geometry = norm,
                                          .x = x,
                                          .norm = operands,
                                          .dy = dy,
                                          .dweight = dweight,
                                          .write = write});
    run(backend, NormConv2dBackwardData{.geometry = g,
                                        .norm_geometry = norm,
                                        .x = x,
                                        .norm = operands,
                                        .dy = dy,
                                        .weight = all.weight,
                                        .between = room,
                                        .dx = dx.at(first * x_image),
                                        .write_dx = Write::overwrite,
                                        .dscale = dscale,
                                        .dshift = dshift,
                                        .write_parameters = write});
    run(backend, NormConv2dBackwardWeight{.geometry = g,
                                          .norm_geometry = norm,
                                          .x = x,
                                          .norm = operands,
                                          .dy = dy,
                                          .dweight = dweights.data() + ghost * size.weight,
                                          .write = Write::overwrite,
                                          .ghost_stride = size.weight});
    run(backend, NormConv2dBackwardData{.geometry = g,
                                        .norm_geometry = norm,
                                        .x = x,
                                        .norm = operands,
                                        .dy = dy,
                                        .weight = all.weight,
                                        .between = room,
                                        .dx = dx.at(first * x_image),
                                        .write_dx = Write::overwrite,
                                        .dscale = dscales.data() + ghost * g.c,
                                        .dshift = dshifts.data() + ghost * g.c,
                                        .write_parameters = Write::overwrite,
                                        .dscale_stride = g.c,
                                        .dshift_stride = g.c});
  }
  return {y.values(),      mean.values(),   variance.values(), dx.values(),      dweight.values(),
          dscale.values(), dshift.values(), dweights.values(), dscales.values(), dshifts.values()};
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
        check_same_bits(run_in_parts(*backend, test.geometry, at_once), expected);
      }
  }
}
