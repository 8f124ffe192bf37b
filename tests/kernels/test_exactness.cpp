// Equal bits: whatever the number of threads, and however a batch is cut into micro-batches of whole ghosts.
#include <functional>

#include "cases/conv2d.h"
#include "cases/images.h"
#include "cases/linear.h"
#include "support/activations.h"
#include "support/tested_backend.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

// run(backend) for several numbers of threads.
void check_threads(const std::function<Results(Backend&)>& run,
                   ConvolutionAlgorithm convolution = ConvolutionAlgorithm::automatic) {
  const Results expected = run(*tested_backend(1, convolution));
  for (const int threads : {2, 3, 8}) {
    CAPTURE(threads);
    check_same_bits(run(*tested_backend(threads, convolution)), expected);
  }
}

// The micro-batches of a batch of `ghosts`, as numbers of ghosts: all at once, one by one, and unevenly.
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

// Three ghosts of what the case has one or more of.
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
  each_micro_batch(cut, g.ghost, [&](int64_t first, int64_t images, Write write) {
    g.n = images;
    backend.reserve_workspace(backend.workspace(g));
    backend.conv2d_forward(g, x.at(first * x_image), {weight}, {}, y.at(first * y_image));
    backend.conv2d_forward(g, x.at(first * x_image), {weight},
                           {.bias = bias, .factor = 0.3, .residual = dy.at(first * y_image), .relu = true},
                           y_finished.at(first * y_image));
    backend.conv2d_backward_data(g, dy.at(first * y_image), weight, dx.at(first * x_image), Write::overwrite);
    backend.conv2d_backward_data(g, dy.at(first * y_image), weight, dx_sum.at(first * x_image), Write::add);
    backend.conv2d_backward_weight(g, x.at(first * x_image), dy.at(first * y_image), dweight, write);
  });
  return {y.values(), y_finished.values(), dx.values(), dx_sum.values(), dweight.values()};
}

Results run_linear(Backend& backend, LinearGeometry g, const std::vector<int64_t>& cut) {
  const Buffer<real> x(backend, noise(g.n * g.in, 1)), weight(backend, noise(g.out * g.in, 2)),
      dy(backend, noise(g.n * g.out, 3));
  Buffer<real> y(backend, poison(g.n * g.out)), dx(backend, poison(g.n * g.in)),
      dweight(backend, poison(g.out * g.in));
  each_micro_batch(cut, g.ghost, [&](int64_t first, int64_t images, Write write) {
    g.n = images;
    backend.reserve_workspace(backend.workspace(g));
    backend.linear_forward(g, x.at(first * g.in), weight, nullptr, y.at(first * g.out));
    backend.linear_backward_data(g, dy.at(first * g.out), weight, dx.at(first * g.in), Write::overwrite);
    backend.linear_backward_weight(g, x.at(first * g.in), dy.at(first * g.out), dweight, write);
  });
  return {y.values(), dx.values(), dweight.values()};
}

Results run_batch_norm(Backend& backend, BatchNormGeometry g, const std::vector<int64_t>& cut) {
  const int64_t image = g.pixels * g.c, size = g.n * image;
  const Buffer<real> x(backend, noise(size, 1)), scale(backend, noise(g.c, 2)), shift(backend, noise(g.c, 3)),
      dy(backend, noise(size, 4));
  Buffer<real> y(backend, poison(size)), dx(backend, poison(size)), mean(backend, poison(g.ghosts() * g.c)),
      variance(backend, poison(g.ghosts() * g.c)), dscale(backend, poison(g.c)), dshift(backend, poison(g.c)),
      dbias(backend, poison(g.c));
  each_micro_batch(cut, g.ghost, [&](int64_t first, int64_t images, Write write) {
    g.n = images;
    const BiasGeometry bias{.n = images, .pixels = g.pixels, .c = g.c, .ghost = g.ghost};
    backend.reserve_workspace(std::max(backend.workspace(g), backend.workspace(bias)));
    real* const means = mean.data() + first / g.ghost * g.c;
    real* const variances = variance.data() + first / g.ghost * g.c;
    const NormOperands norm{scale, shift, means, variances};
    backend.ghost_moments(g, x.at(first * image), means, variances);
    backend.normalise(g, x.at(first * image), norm, nullptr, y.at(first * image));
    backend.ghost_batch_norm_backward(g, x.at(first * image), dy.at(first * image), norm,
                                      dx.at(first * image), Write::overwrite, dscale, dshift, write);
    backend.bias_backward(bias, dy.at(first * image), dbias, write);
  });
  return {y.values(),      mean.values(),   variance.values(), dx.values(),
          dscale.values(), dshift.values(), dbias.values()};
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
      backend.adam(AdamStep{step, 0.9, 0.99, 1e-8, 5}, gradients, values, first, positive, nullptr);
      backend.momentum(MomentumStep{step, 0.9, true}, gradients, values, second, nullptr);
      backend.dropout({.n = n, .elements = 1, .key = 1, .layer = 0, .keep = 0.5}, nullptr, gradients, dropped,
                      Write::overwrite);
      Buffer<double> squared(backend, {0});
      backend.sum_of_squares(n, gradients, squared, Write::overwrite);
      return {values.values(), first.values(),   positive.values(),
              second.values(), dropped.values(), {static_cast<real>(squared.values()[0])}};
    });
  }
}
