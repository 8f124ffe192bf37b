// Results have equal bits for any number of threads
// and any division of a batch into micro-batches of whole ghost batches.
#include <functional>

#include "cases/conv2d.h"
#include "cases/images.h"
#include "cases/linear.h"
#include "support/activations.h"
#include "support/tested_backend.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

// Checks that compute(backend) has equal bits for several numbers of threads.
void check_threads(const std::function<Results(Backend&)>& compute,
                   ConvolutionAlgorithm convolution = ConvolutionAlgorithm::automatic) {
  const Results expected = compute(*tested_backend(1, convolution));
  for (const int threads : {2, 3, 8}) {
    CAPTURE(threads);
    check_same_bits(compute(*tested_backend(threads, convolution)), expected);
  }
}

// Returns divisions of a batch of `ghosts` ghost batches, as the ghost batches of each micro-batch: all at
// once, one by one, and unevenly.
std::vector<std::vector<int64_t>> cuts(int64_t ghosts) {
  std::vector<std::vector<int64_t>> result{{ghosts}, std::vector<int64_t>(static_cast<size_t>(ghosts), 1)};
  if (ghosts > 2) result.push_back({ghosts - 1, 1});
  return result;
}

// Calls f(first image, images, Write for parameter gradients) for each micro-batch of a cut.
template <class F>
void each_micro_batch(const std::vector<int64_t>& cut, int64_t ghost, const F& f) {
  int64_t first = 0;
  for (const int64_t ghosts : cut) {
    f(first, ghosts * ghost, first == 0 ? Write::overwrite : Write::add);
    first += ghosts * ghost;
  }
}

// The gradients of a parameter from three ghost batches, one by one, with a gap behind each.
class GhostGradients {
 public:
  GhostGradients(Backend& backend, int64_t size) : stride_(size + 3), values_(backend, poison(3 * stride_)) {}
  int64_t stride() const { return stride_; }
  real* at(int64_t ghost) { return values_.data() + ghost * stride_; }
  std::vector<real> values() const { return values_.values(); }

 private:
  int64_t stride_;
  Buffer<real> values_;
};

// Returns the geometry with a batch of three ghost batches.
Conv2dGeometry three_ghosts(Conv2dGeometry g) {
  g.n = 3 * g.ghost;
  return g;
}

Results run_conv2d(Backend& backend, Conv2dGeometry g, const std::vector<int64_t>& cut) {
  const int64_t x_image = g.h * g.w * g.c, y_image = g.p * g.q * g.k;
  const Activations x(backend, noise(g.n * x_image, 1)), weight(backend, noise(g.k * g.r * g.s * g.c, 2)),
      dy(backend, noise(g.n * y_image, 3));
  Activations y(backend, poison(g.n * y_image)), dx(backend, poison(g.n * x_image)),
      dx_sum(backend, noise(g.n * x_image, 4)), y_finished(backend, poison(g.n * y_image));
  const Buffer<real> bias(backend, noise(g.k, 5));
  Buffer<real> dweight(backend, poison(g.k * g.r * g.s * g.c));
  GhostGradients each(backend, g.k * g.r * g.s * g.c);
  each_micro_batch(cut, g.ghost, [&](int64_t first, int64_t images, Write write) {
    g.n = images;
    const activation* const part = x.at(first * x_image);
    const activation* const dy_part = dy.at(first * y_image);
    run(backend, Conv2dForward{.geometry = g, .x = part, .weight = {weight}, .y = y.at(first * y_image)});
    run(backend, Conv2dForward{.geometry = g,
                               .x = part,
                               .weight = {weight},
                               .epilogue = {.bias = bias, .factor = 0.3, .residual = dy_part, .relu = true},
                               .y = y_finished.at(first * y_image)});
    run(backend, Conv2dBackwardData{.geometry = g,
                                    .dy = dy_part,
                                    .weight = weight,
                                    .dx = dx.at(first * x_image),
                                    .write = Write::overwrite});
    run(backend, Conv2dBackwardData{.geometry = g,
                                    .dy = dy_part,
                                    .weight = weight,
                                    .dx = dx_sum.at(first * x_image),
                                    .write = Write::add});
    run(backend,
        Conv2dBackwardWeight{.geometry = g, .x = part, .dy = dy_part, .dweight = dweight, .write = write});
    run(backend, Conv2dBackwardWeight{.geometry = g,
                                      .x = part,
                                      .dy = dy_part,
                                      .dweight = each.at(first / g.ghost),
                                      .write = Write::overwrite,
                                      .ghost_stride = each.stride()});
  });
  return {y.values(), y_finished.values(), dx.values(), dx_sum.values(), dweight.values(), each.values()};
}

Results run_linear(Backend& backend, LinearGeometry g, const std::vector<int64_t>& cut) {
  const Buffer<real> x(backend, noise(g.n * g.in, 1)), weight(backend, noise(g.out * g.in, 2)),
      dy(backend, noise(g.n * g.out, 3));
  Buffer<real> y(backend, poison(g.n * g.out)), dx(backend, poison(g.n * g.in)),
      dweight(backend, poison(g.out * g.in));
  GhostGradients each(backend, g.out * g.in);
  each_micro_batch(cut, g.ghost, [&](int64_t first, int64_t images, Write write) {
    g.n = images;
    const activation* const part = x.at(first * g.in);
    const activation* const dy_part = dy.at(first * g.out);
    run(backend,
        LinearForward{.geometry = g, .x = part, .weight = weight, .bias = nullptr, .y = y.at(first * g.out)});
    run(backend, LinearBackwardData{.geometry = g,
                                    .dy = dy_part,
                                    .weight = weight,
                                    .dx = dx.at(first * g.in),
                                    .write = Write::overwrite});
    run(backend,
        LinearBackwardWeight{.geometry = g, .x = part, .dy = dy_part, .dweight = dweight, .write = write});
    run(backend, LinearBackwardWeight{.geometry = g,
                                      .x = part,
                                      .dy = dy_part,
                                      .dweight = each.at(first / g.ghost),
                                      .write = Write::overwrite,
                                      .ghost_stride = each.stride()});
  });
  return {y.values(), dx.values(), dweight.values(), each.values()};
}

Results run_batch_norm(Backend& backend, BatchNormGeometry g, const std::vector<int64_t>& cut) {
  const int64_t image = g.pixels * g.c, size = g.n * image;
  const Buffer<real> x(backend, noise(size, 1)), scale(backend, noise(g.c, 2)), shift(backend, noise(g.c, 3)),
      dy(backend, noise(size, 4));
  Buffer<real> y(backend, poison(size)), dx(backend, poison(size)), mean(backend, poison(g.ghosts() * g.c)),
      variance(backend, poison(g.ghosts() * g.c)), dscale(backend, poison(g.c)), dshift(backend, poison(g.c)),
      dbias(backend, poison(g.c));
  GhostGradients each_scale(backend, g.c), each_shift(backend, g.c + 1), each_bias(backend, g.c);
  each_micro_batch(cut, g.ghost, [&](int64_t first, int64_t images, Write write) {
    g.n = images;
    const BiasGeometry bias{.n = images, .pixels = g.pixels, .c = g.c, .ghost = g.ghost};
    real* const means = mean.data() + first / g.ghost * g.c;
    real* const variances = variance.data() + first / g.ghost * g.c;
    const NormOperands norm{.scale = scale, .shift = shift, .mean = means, .variance = variances};
    const activation* const part = x.at(first * image);
    const activation* const dy_part = dy.at(first * image);
    run(backend, GhostMoments{.geometry = g, .x = part, .mean = means, .variance = variances});
    run(backend,
        Normalise{.geometry = g, .x = part, .norm = norm, .residual = nullptr, .y = y.at(first * image)});
    run(backend, GhostBatchNormBackward{.geometry = g,
                                        .x = part,
                                        .dy = dy_part,
                                        .norm = norm,
                                        .dx = dx.at(first * image),
                                        .write_dx = Write::overwrite,
                                        .dscale = dscale,
                                        .dshift = dshift,
                                        .write_parameters = write});
    run(backend, BiasBackward{.geometry = bias, .dy = dy_part, .dbias = dbias, .write = write});
    const int64_t ghost = first / g.ghost;
    run(backend, GhostBatchNormBackward{.geometry = g,
                                        .x = part,
                                        .dy = dy_part,
                                        .norm = norm,
                                        .dx = dx.at(first * image),
                                        .write_dx = Write::overwrite,
                                        .dscale = each_scale.at(ghost),
                                        .dshift = each_shift.at(ghost),
                                        .write_parameters = Write::overwrite,
                                        .dscale_stride = each_scale.stride(),
                                        .dshift_stride = each_shift.stride()});
    run(backend, BiasBackward{.geometry = bias,
                              .dy = dy_part,
                              .dbias = each_bias.at(ghost),
                              .write = Write::overwrite,
                              .ghost_stride = each_bias.stride()});
  });
  return {y.values(),      mean.values(),       variance.values(),   dx.values(),        dscale.values(),
          dshift.values(), each_scale.values(), each_shift.values(), each_bias.values(), dbias.values()};
}

}  // namespace

TEST_CASE("convolutions give equal bits for any number of threads and any micro-batch") {
  for (const auto algorithm : tested_algorithms())
    for (const auto& test : conv2d_cases()) {
      CAPTURE(test.name);
      const Conv2dGeometry g = three_ghosts(test.geometry);
      if (!is_tested(g)) continue;
      check_threads([&](Backend& backend) { return run_conv2d(backend, g, {3}); }, algorithm);
      const auto backend = tested_backend(2, algorithm);
      const Results expected = run_conv2d(*backend, g, {3});
      for (const auto& cut : cuts(3)) check_same_bits(run_conv2d(*backend, g, cut), expected);
    }
}

TEST_CASE("linear layers give equal bits for any number of threads and any micro-batch") {
  for (LinearGeometry g : linear_cases()) {
    g.n = 3 * g.ghost;
    CAPTURE(g.in);
    CAPTURE(g.out);
    check_threads([&](Backend& backend) { return run_linear(backend, g, {3}); });
    const auto backend = tested_backend(3);
    const Results expected = run_linear(*backend, g, {3});
    for (const auto& cut : cuts(3)) check_same_bits(run_linear(*backend, g, cut), expected);
  }
}

TEST_CASE("batch norm and the bias give equal bits for any number of threads and any micro-batch") {
  for (BatchNormGeometry g : batch_norm_cases()) {
    g.n = 3 * g.ghost;
    CAPTURE(g.pixels);
    CAPTURE(g.c);
    check_threads([&](Backend& backend) { return run_batch_norm(backend, g, {3}); });
    const auto backend = tested_backend(3);
    const Results expected = run_batch_norm(*backend, g, {3});
    for (const auto& cut : cuts(3)) check_same_bits(run_batch_norm(*backend, g, cut), expected);
  }
}

TEST_CASE("optimizers, reductions and dropout give equal bits for any number of threads") {
  for (const int64_t n : lengths()) {
    CAPTURE(n);
    check_threads([&](Backend& backend) -> Results {
      const Buffer<real> gradients(backend, noise(n, 1));
      Buffer<real> values(backend, noise(n, 2)), first(backend, noise(n, 3)), second(backend, noise(n, 4)),
          dropped(backend, poison(n));
      std::vector<real> squares = second.values();
      for (real& v : squares) v = v * v;
      Buffer<real> positive(backend, squares);
      const OptimizerStep step{
          .n = n, .decayed = n / 3, .learning_rate = 0.1, .weight_decay = 0.01, .gradient_scale = 0.3};
      run(backend, Adam{.step = {step, 0.9, 0.99, 1e-8, 5},
                        .gradients = gradients,
                        .values = values,
                        .first_moment = first,
                        .second_moment = positive,
                        .copy = nullptr});
      run(backend, Momentum{.step = {step, 0.9, true},
                            .gradients = gradients,
                            .values = values,
                            .velocity = second,
                            .copy = nullptr});
      run(backend, Dropout{.geometry = {.n = n, .elements = 1, .key = 1, .layer = 0, .keep = 0.5},
                           .counters = nullptr,
                           .x = gradients,
                           .y = dropped,
                           .write = Write::overwrite});
      Buffer<double> squared(backend, {0});
      run(backend, SumOfSquares{.n = n, .x = gradients, .result = squared});
      return {values.values(), first.values(),   positive.values(),
              second.values(), dropped.values(), {static_cast<real>(squared.values()[0])}};
    });
  }
}
