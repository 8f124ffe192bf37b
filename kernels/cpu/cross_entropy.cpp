// Softmax and cross-entropy of one sample, in double:
//   loss = log(sum exp(z)) - (1 - smoothing) z[label] - smoothing mean(z)
//   dloss/dz[j] = softmax(z)[j] - target[j]
// The loss is NaN if a logit is NaN or +infinity.
#include <cmath>

#include "kernels/cpu/cpu_backend.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// Returns log(sum exp(z)). Subtracts the largest logit first, so that exp does not overflow.
double log_sum_exp(const real* z, int64_t classes) {
  const double largest = *std::max_element(z, z + classes);
  double sum = 0;
  for (int64_t j = 0; j < classes; ++j) sum += std::exp(static_cast<double>(z[j]) - largest);
  return largest + std::log(sum);
}

// Returns the loss of one sample.
double sample_loss(const CrossEntropyGeometry& g, const real* z, int32_t label) {
  double loss = log_sum_exp(z, g.classes) - (1 - g.smoothing) * static_cast<double>(z[label]);
  if (g.smoothing > 0) {
    double sum = 0;
    for (int64_t j = 0; j < g.classes; ++j) sum += z[j];
    loss -= g.smoothing * sum / static_cast<double>(g.classes);
  }
  return loss;
}

// Returns 1 if the label's logit is the first of the largest, else 0. Returns 0 if a logit is NaN.
int32_t is_correct(const real* z, int64_t classes, int32_t label) {
  bool correct = true;
  for (int64_t j = 0; j < classes; ++j) correct = correct && (j < label ? z[label] > z[j] : z[label] >= z[j]);
  return correct ? 1 : 0;
}

}  // namespace

void CpuBackend::compute(const SoftmaxCrossEntropyForward& c) {
  const CrossEntropyGeometry& g = c.geometry;
  if (g.classes == 0) return;
  parallel_for(g.n, [&](int64_t i, int) {
    const real* z = values_of(c.logits) + i * g.classes;
    c.losses[i] = static_cast<real>(sample_loss(g, z, c.labels[i]));
    c.correct[i] = is_correct(z, g.classes, c.labels[i]);
  });
}

void CpuBackend::compute(const SoftmaxCrossEntropyBackward& c) {
  const CrossEntropyGeometry& g = c.geometry;
  if (g.classes == 0) return;
  const double elsewhere = g.smoothing / static_cast<double>(g.classes);
  parallel_for(g.n, [&](int64_t i, int) {
    const real* z = values_of(c.logits) + i * g.classes;
    real* dz = values_of(c.dlogits) + i * g.classes;
    const double log_sum = log_sum_exp(z, g.classes);
    for (int64_t j = 0; j < g.classes; ++j) {
      const double target = elsewhere + (j == c.labels[i] ? 1 - g.smoothing : 0);
      const real d =
          static_cast<real>(c.dlosses[i] * (std::exp(static_cast<double>(z[j]) - log_sum) - target));
      dz[j] = c.write == Write::add ? dz[j] + d : d;
    }
  });
}

}  // namespace crescendo::CRESCENDO_CPU
