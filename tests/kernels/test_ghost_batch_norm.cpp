// Ghost batch norm and the bias gradient, compared with their formulas in double.
#include "cases/images.h"
#include "support/compare.h"
#include "support/tested_backend.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

struct Problem {
  std::vector<real> x, dy, scale, shift;
  explicit Problem(const BatchNormGeometry& g)
      : x(noise(g.n * g.pixels * g.c, 1)),
        dy(noise(g.n * g.pixels * g.c, 2)),
        scale(noise(g.c, 3)),
        shift(noise(g.c, 4)) {
    for (real& v : x) v = v + 3;  // a mean that is not small
  }
};

// Statistics, parameters and sums of one channel of one ghost batch, as in the formulas.
struct Channel {
  double mean = 0, variance = 0, inverse = 0, scale = 0, shift = 0;
  double sum_g = 0, sum_gv = 0, count = 0;

  double normalised(double x) const { return (x - mean) * inverse; }
  double linear(double x) const { return normalised(x) * scale + shift; }
};

// Calls f(place of the element) for each element of a channel in a ghost batch.
template <class F>
void each_element(const BatchNormGeometry& g, int64_t ghost, int64_t c, const F& f) {
  for (int64_t i = ghost * g.ghost * g.pixels; i < (ghost + 1) * g.ghost * g.pixels; ++i)
    f(static_cast<size_t>(i * g.c + c));
}

double masked(const BatchNormGeometry& g, const Channel& channel, double x, double dy) {
  return g.relu && channel.linear(x) <= 0 ? 0 : dy;
}

Channel channel_of(const BatchNormGeometry& g, const Problem& problem, int64_t ghost, int64_t c) {
  Channel result;
  result.scale = static_cast<double>(problem.scale[static_cast<size_t>(c)]);
  result.shift = static_cast<double>(problem.shift[static_cast<size_t>(c)]);
  result.count = static_cast<double>(g.ghost * g.pixels);
  each_element(g, ghost, c,
               [&](size_t i) { result.mean += static_cast<double>(problem.x[i]) / result.count; });
  each_element(g, ghost, c, [&](size_t i) {
    result.variance += std::pow(static_cast<double>(problem.x[i]) - result.mean, 2) / result.count;
  });
  result.inverse = 1 / std::sqrt(result.variance + g.epsilon);
  each_element(g, ghost, c, [&](size_t i) {
    const double x = static_cast<double>(problem.x[i]);
    const double d = masked(g, result, x, static_cast<double>(problem.dy[i]));
    result.sum_g += d;
    result.sum_gv += d * result.normalised(x);
  });
  return result;
}

struct Expected {
  std::vector<double> mean, variance, y, dx, dscale, dshift;
};

Expected reference(const BatchNormGeometry& g, const Problem& problem) {
  const auto size = problem.x.size(), channels = static_cast<size_t>(g.c);
  Expected e{{},
             {},
             std::vector<double>(size),
             std::vector<double>(size),
             std::vector<double>(channels),
             std::vector<double>(channels)};
  for (int64_t ghost = 0; ghost < g.ghosts(); ++ghost)
    for (int64_t c = 0; c < g.c; ++c) {
      const Channel ch = channel_of(g, problem, ghost, c);
      e.mean.push_back(ch.mean);
      e.variance.push_back(ch.variance);
      e.dshift[static_cast<size_t>(c)] += ch.sum_g;
      e.dscale[static_cast<size_t>(c)] += ch.sum_gv;
      each_element(g, ghost, c, [&](size_t i) {
        const double x = static_cast<double>(problem.x[i]), v = ch.normalised(x), linear = ch.linear(x);
        e.y[i] = g.relu ? std::max(0.0, linear) : linear;
        const double d = masked(g, ch, x, static_cast<double>(problem.dy[i]));
        e.dx[i] = ch.scale * ch.inverse * (d - (ch.sum_g + v * ch.sum_gv) / ch.count);
      });
    }
  return e;
}

// A layer's parameters and statistics on a backend.
struct Layer {
  const Buffer<real> scale, shift;
  Buffer<real> mean, variance;

  Layer(Backend& backend, const BatchNormGeometry& g, const std::vector<real>& scales,
        const std::vector<real>& shifts)
      : scale(backend, scales),
        shift(backend, shifts),
        mean(backend, poison(g.ghosts() * g.c)),
        variance(backend, poison(g.ghosts() * g.c)) {}
  Layer(Backend& backend, const BatchNormGeometry& g, const Problem& problem)
      : Layer(backend, g, problem.scale, problem.shift) {}
  NormOperands operands() const {
    return {.scale = scale, .shift = shift, .mean = mean, .variance = variance};
  }
};

// Computes the layer's statistics, and y from them.
void forward(Backend& backend, const BatchNormGeometry& g, const activation* x, Layer& layer, activation* y) {
  run(backend, GhostMoments{.geometry = g, .x = x, .mean = layer.mean, .variance = layer.variance});
  run(backend, Normalise{.geometry = g, .x = x, .norm = layer.operands(), .residual = nullptr, .y = y});
}

// Returns the tolerance of y. Inputs are near 4, so their rounding error is 4 epsilon; the smallest standard
// deviation is sqrt(g.epsilon).
double norm_tolerance(const BatchNormGeometry& g) { return 16 * sum_tolerance(1, 1) / std::sqrt(g.epsilon); }

}  // namespace

TEST_CASE("ghost batch norm normalises each ghost by its own statistics") {
  const auto backend = tested_backend(2);
  for (const BatchNormGeometry& g : batch_norm_cases()) {
    CAPTURE(g.n);
    CAPTURE(g.pixels);
    CAPTURE(g.c);
    const Problem problem(g);
    const Expected expected = reference(g, problem);
    const Buffer<real> x(*backend, problem.x);
    Layer layer(*backend, g, problem);
    Buffer<real> y(*backend, poison(g.n * g.pixels * g.c));
    forward(*backend, g, x, layer, y);
    const double tolerance = sum_tolerance(1, 4) + double_tolerance(g.ghost * g.pixels, 4);
    check_close(layer.mean.values(), expected.mean, tolerance);
    check_close(layer.variance.values(), expected.variance, tolerance);
    check_close(y.values(), expected.y, norm_tolerance(g));
  }
}

TEST_CASE("ghost batch norm's gradients are those of its formula") {
  const auto backend = tested_backend(2);
  for (const BatchNormGeometry& g : batch_norm_cases()) {
    CAPTURE(g.n);
    CAPTURE(g.pixels);
    CAPTURE(g.c);
    const Problem problem(g);
    const Expected expected = reference(g, problem);
    const Buffer<real> x(*backend, problem.x), dy(*backend, problem.dy);
    Layer layer(*backend, g, problem);
    Buffer<real> y(*backend, poison(g.n * g.pixels * g.c));
    forward(*backend, g, x, layer, y);
    const auto backward = [&](activation* dx, Write write_dx, real* dscale, real* dshift,
                              Write write_parameters) {
      return GhostBatchNormBackward{.geometry = g,
                                    .x = x,
                                    .dy = dy,
                                    .norm = layer.operands(),
                                    .dx = dx,
                                    .write_dx = write_dx,
                                    .dscale = dscale,
                                    .dshift = dshift,
                                    .write_parameters = write_parameters};
    };
    Buffer<real> other_dx(*backend, poison(g.n * g.pixels * g.c)), other_scale(*backend, poison(g.c)),
        other_shift(*backend, poison(g.c));
    const double tolerance = norm_tolerance(g), root = std::sqrt(static_cast<double>(g.n * g.pixels));
    check_both_writes(*backend, expected.dx, 4 * tolerance / std::sqrt(g.epsilon),
                      [&](activation* dx, Write write) {
                        return backward(dx, write, other_scale, other_shift, Write::overwrite);
                      });
    check_both_writes(*backend, expected.dscale, tolerance * root, [&](real* dscale, Write write) {
      return backward(other_dx, Write::overwrite, dscale, other_shift, write);
    });
    check_both_writes(*backend, expected.dshift, tolerance * root, [&](real* dshift, Write write) {
      return backward(other_dx, Write::overwrite, other_scale, dshift, write);
    });
  }
}

TEST_CASE("the ReLU's gradient uses the very mask of the forward pass") {
  const BatchNormGeometry g{.n = 1, .pixels = 4, .c = 4096, .ghost = 1, .epsilon = 1e-5, .relu = true};
  const auto backend = tested_backend(1);
  const Problem problem(g);
  const auto channels = static_cast<size_t>(g.c);
  const Buffer<real> x(*backend, problem.x), dy(*backend, std::vector<real>(problem.x.size(), 1));
  Buffer<real> y(*backend, poison(g.pixels * g.c)), dx(*backend, poison(g.pixels * g.c)),
      dscale(*backend, poison(g.c)), dshift(*backend, poison(g.c));
  BatchNormGeometry without_relu = g;
  without_relu.relu = false;
  Layer centred(*backend, g, problem.scale, std::vector<real>(channels, 0));
  forward(*backend, without_relu, x, centred, y);
  // A shift that puts the first pixel of every channel so near zero that rounding decides its sign.
  std::vector<real> opposite = y.values();
  opposite.resize(channels);
  for (real& v : opposite) v = -v;
  Layer layer(*backend, g, problem.scale, opposite);
  forward(*backend, g, x, layer, y);
  run(*backend, GhostBatchNormBackward{.geometry = g,
                                       .x = x,
                                       .dy = dy,
                                       .norm = layer.operands(),
                                       .dx = dx,
                                       .write_dx = Write::overwrite,
                                       .dscale = dscale,
                                       .dshift = dshift,
                                       .write_parameters = Write::overwrite});
  std::vector<real> positive(channels, 0);
  const std::vector<real> outputs = y.values();
  for (size_t i = 0; i < outputs.size(); ++i) positive[i % channels] += outputs[i] > 0 ? 1 : 0;
  check_same_bits(dshift.values(), positive);
}

TEST_CASE("inference uses the given statistics") {
  const auto backend = tested_backend(2);
  for (BatchNormGeometry g : batch_norm_cases()) {
    g.ghost = g.n;
    const Problem problem(g);
    std::vector<real> means = noise(g.c, 5), variances = noise(g.c, 6);
    for (real& v : variances) v = v * v;
    const Buffer<real> x(*backend, problem.x), scale(*backend, problem.scale), shift(*backend, problem.shift),
        mean(*backend, means), variance(*backend, variances);
    Buffer<real> y(*backend, poison(g.n * g.pixels * g.c)), sum(*backend, poison(g.n * g.pixels * g.c));
    const NormOperands norm{.scale = scale, .shift = shift, .mean = mean, .variance = variance};
    run(*backend, Normalise{.geometry = g, .x = x, .norm = norm, .residual = nullptr, .y = y});
    const std::vector<real> skipped = noise(g.n * g.pixels * g.c, 7);
    const Buffer<real> residual(*backend, skipped);
    run(*backend, Normalise{.geometry = g, .x = x, .norm = norm, .residual = residual, .y = sum});
    std::vector<double> expected(problem.x.size()), expected_sum(problem.x.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const size_t c = i % means.size();
      const double v = (static_cast<double>(problem.x[i]) - static_cast<double>(means[c])) /
                           std::sqrt(static_cast<double>(variances[c]) + g.epsilon) *
                           static_cast<double>(problem.scale[c]) +
                       static_cast<double>(problem.shift[c]);
      expected[i] = g.relu ? std::max(0.0, v) : v;
      const double w = v + static_cast<double>(skipped[i]);
      expected_sum[i] = g.relu ? std::max(0.0, w) : w;
    }
    check_close(y.values(), expected, norm_tolerance(g));
    check_close(sum.values(), expected_sum, norm_tolerance(g));
  }
}

TEST_CASE("batch norm into a slice of channels has the bits of batch norm alone") {
  struct Place {
    int64_t first, others;
  };
  const auto backend = tested_backend(2);
  for (const BatchNormGeometry& g : batch_norm_cases())
    for (const Place place : {Place{16, 32}, {3, 5}, {0, 8}}) {
      CAPTURE(g.n);
      CAPTURE(g.c);
      CAPTURE(place.first);
      const int64_t rows = g.n * g.pixels, size = rows * g.c;
      BatchNormGeometry wide = g;
      wide.y_channels = g.c + place.others;
      const Problem problem(g);
      const std::vector<real> around = noise(rows * wide.y_channels, 8);
      const Buffer<real> x(*backend, problem.x), dy(*backend, problem.dy), residual(*backend, noise(size, 7)),
          wide_dy(*backend, with_channels(around, wide.y_channels, place.first, problem.dy, g.c));
      Layer layer(*backend, g, problem);
      Buffer<real> y(*backend, poison(size)), wide_y(*backend, around);
      forward(*backend, g, x, layer, y);
      const NormOperands norm = layer.operands();
      for (const activation* skipped : {static_cast<const activation*>(nullptr), residual.at(0)}) {
        run(*backend, Normalise{.geometry = g, .x = x, .norm = norm, .residual = skipped, .y = y});
        run(*backend,
            Normalise{
                .geometry = wide, .x = x, .norm = norm, .residual = skipped, .y = wide_y.at(place.first)});
        check_same_bits(wide_y.values(),
                        with_channels(around, wide.y_channels, place.first, y.values(), g.c));
      }
      for (const Write write : {Write::overwrite, Write::add}) {
        const auto gradients = [&](const BatchNormGeometry& geometry, const activation* gradient) -> Results {
          Buffer<real> dx(*backend, problem.x), dscale(*backend, problem.scale),
              dshift(*backend, problem.shift);
          run(*backend, GhostBatchNormBackward{.geometry = geometry,
                                               .x = x,
                                               .dy = gradient,
                                               .norm = norm,
                                               .dx = dx,
                                               .write_dx = write,
                                               .dscale = dscale,
                                               .dshift = dshift,
                                               .write_parameters = write});
          return {dx.values(), dscale.values(), dshift.values()};
        };
        check_same_bits(gradients(wide, wide_dy.at(place.first)), gradients(g, dy));
      }
    }
}

TEST_CASE("running statistics take each ghost in order, with the unbiased variance") {
  const BatchNormGeometry g{.n = 6, .pixels = 2, .c = 3, .ghost = 2, .epsilon = 0, .relu = false};
  const auto backend = tested_backend(1);
  const std::vector<real> means = noise(9, 1), variances = noise(9, 2), start = noise(3, 3);
  const Buffer<real> mean(*backend, means), variance(*backend, variances);
  Buffer<real> running_mean(*backend, start), running_variance(*backend, start);
  run(*backend, UpdateRunningStatistics{.geometry = g,
                                        .keep = 0.75,
                                        .weight = 0.25,
                                        .mean = mean,
                                        .variance = variance,
                                        .running_mean = running_mean,
                                        .running_variance = running_variance});
  std::vector<double> expected_mean, expected_variance;
  for (size_t c = 0; c < 3; ++c) {
    double m = static_cast<double>(start[c]), v = m;
    for (size_t ghost = 0; ghost < 3; ++ghost) {
      m = 0.75 * m + 0.25 * static_cast<double>(means[ghost * 3 + c]);
      v = 0.75 * v + 0.25 * static_cast<double>(variances[ghost * 3 + c]) * 4 / 3;
    }
    expected_mean.push_back(m);
    expected_variance.push_back(v);
  }
  check_close(running_mean.values(), expected_mean, sum_tolerance(3, 1));
  check_close(running_variance.values(), expected_variance, sum_tolerance(3, 1));
}

TEST_CASE("the running variance of single elements is zero, not NaN") {
  const BatchNormGeometry g{.n = 1, .pixels = 1, .c = 1, .ghost = 1, .epsilon = 0, .relu = false};
  const auto backend = tested_backend(1);
  const Buffer<real> mean(*backend, {real{2}}), variance(*backend, {real{0}});
  Buffer<real> running_mean(*backend, {real{1}}), running_variance(*backend, {real{1}});
  run(*backend, UpdateRunningStatistics{.geometry = g,
                                        .keep = 0.5,
                                        .weight = 0.5,
                                        .mean = mean,
                                        .variance = variance,
                                        .running_mean = running_mean,
                                        .running_variance = running_variance});
  CHECK(running_mean.values()[0] == doctest::Approx(1.5));
  CHECK(running_variance.values()[0] == doctest::Approx(0.5));
}

TEST_CASE("the bias gradient sums over images and pixels") {
  const auto backend = tested_backend(2);
  for (const BiasGeometry& g : bias_cases()) {
    CAPTURE(g.n);
    CAPTURE(g.c);
    const std::vector<real> dy = noise(g.n * g.pixels * g.c, 1);
    std::vector<double> expected(static_cast<size_t>(g.c));
    for (size_t i = 0; i < dy.size(); ++i) expected[i % expected.size()] += static_cast<double>(dy[i]);
    const Buffer<real> dy_buffer(*backend, dy);
    check_both_writes(*backend, expected, sum_tolerance(g.n * g.pixels, 1), [&](real* dbias, Write write) {
      return BiasBackward{.geometry = g, .dy = dy_buffer, .dbias = dbias, .write = write};
    });
  }
}

TEST_CASE("NaN passes through batch norm and its ReLU") {
  const BatchNormGeometry g{.n = 1, .pixels = 2, .c = 1, .ghost = 1, .epsilon = 1e-5, .relu = true};
  const auto backend = tested_backend(1);
  const Buffer<real> x(*backend, {std::numeric_limits<real>::quiet_NaN(), real{1}});
  Buffer<real> y(*backend, {real{0}, real{0}});
  Layer layer(*backend, g, {real{1}}, {real{1}});
  forward(*backend, g, x, layer, y);
  CHECK(std::isnan(y.values()[0]));
}
