// Softmax and cross-entropy against their formulas.
#include "cases/images.h"
#include "support/compare.h"
#include "support/tested_backend.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

std::vector<int32_t> labels_for(const CrossEntropyGeometry& g) {
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < g.n; ++i) labels.push_back(static_cast<int32_t>(i * 7 % g.classes));
  return labels;
}

std::vector<double> softmax(const std::vector<real>& logits, size_t first, size_t classes) {
  std::vector<double> p(classes);
  double sum = 0;
  for (size_t j = 0; j < classes; ++j) sum += p[j] = std::exp(static_cast<double>(logits[first + j]));
  for (double& v : p) v /= sum;
  return p;
}

struct Outcome {
  real loss;
  int32_t correct;
};
Outcome loss_of(const std::vector<real>& logits, int32_t label) {
  const auto backend = tested_backend(1);
  const CrossEntropyGeometry g{.n = 1, .classes = static_cast<int64_t>(logits.size()), .smoothing = 0};
  const Buffer<real> z(*backend, logits);
  const Buffer<int32_t> labels(*backend, {label});
  Buffer<real> loss(*backend, poison(1));
  Buffer<int32_t> correct(*backend, {-1});
  run(*backend, SoftmaxCrossEntropyForward{
                    .geometry = g, .logits = z, .labels = labels, .losses = loss, .correct = correct});
  return {loss.values()[0], correct.values()[0]};
}

}  // namespace

TEST_CASE("cross-entropy and its gradient, with and without smoothing") {
  const auto backend = tested_backend(2);
  for (const CrossEntropyGeometry& g : cross_entropy_cases()) {
    CAPTURE(g.classes);
    CAPTURE(g.smoothing);
    const std::vector<real> logits = noise(g.n * g.classes, 1), dlosses = noise(g.n, 2);
    const std::vector<int32_t> labels = labels_for(g);
    const auto classes = static_cast<size_t>(g.classes);
    std::vector<double> expected, gradient;
    for (size_t i = 0; i < labels.size(); ++i) {
      const std::vector<double> p = softmax(logits, i * classes, classes);
      double loss = 0;
      for (size_t j = 0; j < classes; ++j) {
        const double target = g.smoothing / static_cast<double>(g.classes) +
                              (static_cast<int32_t>(j) == labels[i] ? 1 - g.smoothing : 0);
        loss -= target * std::log(p[j]);
        gradient.push_back(static_cast<double>(dlosses[i]) * (p[j] - target));
      }
      expected.push_back(loss);
    }
    const Buffer<real> z(*backend, logits), dlosses_buffer(*backend, dlosses);
    const Buffer<int32_t> labels_buffer(*backend, labels);
    Buffer<real> losses(*backend, poison(g.n));
    Buffer<int32_t> correct(*backend, std::vector<int32_t>(labels.size(), -1));
    run(*backend,
        SoftmaxCrossEntropyForward{
            .geometry = g, .logits = z, .labels = labels_buffer, .losses = losses, .correct = correct});
    check_close(losses.values(), expected, sum_tolerance(1, 10) + double_tolerance(g.classes, 10));
    check_both_writes(*backend, gradient, sum_tolerance(1, 1), [&](activation* dz, Write write) {
      return SoftmaxCrossEntropyBackward{.geometry = g,
                                         .logits = z,
                                         .labels = labels_buffer,
                                         .dlosses = dlosses_buffer,
                                         .dlogits = dz,
                                         .write = write};
    });
  }
}

TEST_CASE("a sample is correct where the first largest logit is its label's") {
  CHECK(loss_of({1, 3, 2}, 1).correct == 1);
  CHECK(loss_of({1, 3, 2}, 2).correct == 0);
  CHECK(loss_of({3, 3, 2}, 0).correct == 1);
  CHECK(loss_of({3, 3, 2}, 1).correct == 0);
}

TEST_CASE("large logits neither overflow nor lose the loss") {
  CHECK(loss_of({30000, 29999}, 0).loss == doctest::Approx(std::log1p(std::exp(-1.0))));
  CHECK(loss_of({-30000, 30000}, 0).loss == doctest::Approx(60000));
}

TEST_CASE("a NaN among the logits, or an infinity, makes the loss NaN") {
  const real nan = std::numeric_limits<real>::quiet_NaN(), infinity = std::numeric_limits<real>::infinity();
  for (const int32_t label : {0, 1, 2}) {
    CHECK(std::isnan(loss_of({nan, 1, 2}, label).loss));
    CHECK(std::isnan(loss_of({1, 2, nan}, label).loss));
    CHECK(std::isnan(loss_of({1, infinity, 2}, label).loss));
  }
  CHECK(loss_of({nan, nan}, 0).correct == 0);
}
