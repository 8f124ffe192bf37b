// Softmax and cross-entropy of one sample, in double:
//   loss = log(sum exp(z)) - (1 - smoothing) z[label] - smoothing mean(z)
//   dloss/dz[j] = softmax(z)[j] - target[j]
// A NaN among the logits, or an infinity, makes the loss NaN.
#include <cmath>

#include "kernels/cpu/cpu_backend.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// log(sum exp(z)) without overflow: the largest logit is taken out first.
double log_sum_exp(const real* z, int64_t classes) {
  const double largest = *std::max_element(z, z + classes);
  double sum = 0;
  for (int64_t j = 0; j < classes; ++j) sum += std::exp(static_cast<double>(z[j]) - largest);
  return largest + std::log(sum);
}

double sample_loss(const CrossEntropyGeometry& g, const real* z, int32_t label) {
  double loss = log_sum_exp(z, g.classes) - (1 - g.smoothing) * static_cast<double>(z[label]);
  if (g.smoothing > 0) {
    double sum = 0;
    for (int64_t j = 0; j < g.classes; ++j) sum += z[j];
    loss -= g.smoothing * sum / static_cast<double>(g.classes);
  }
  return loss;
}

// Whether the label's logit is the first of the largest; with a NaN there is no largest.
int32_t is_correct(const real* z, int64_t classes, int32_t label) {
  bool correct = true;
  for (int64_t j = 0; j < classes; ++j) correct = correct && (j < label ? z[label] > z[j] : z[label] >= z[j]);
  return correct ? 1 : 0;
}

}  // namespace

void CpuBackend::softmax_cross_entropy_forward(const CrossEntropyGeometry& g, const activation* logits,
                                               const int32_t* labels, real* losses, int32_t* correct) {
  if (g.classes == 0) return;
  parallel_for(g.n, [&](int64_t i, int) {
    const real* z = values_of(logits) + i * g.classes;
    losses[i] = static_cast<real>(sample_loss(g, z, labels[i]));
    correct[i] = is_correct(z, g.classes, labels[i]);
  });
}

void CpuBackend::softmax_cross_entropy_backward(const CrossEntropyGeometry& g, const activation* logits,
                                                const int32_t* labels, const real* dlosses,
                                                activation* dlogits, Write write) {
  if (g.classes == 0) return;
  const double elsewhere = g.smoothing / static_cast<double>(g.classes);
  parallel_for(g.n, [&](int64_t i, int) {
    const real* z = values_of(logits) + i * g.classes;
    real* dz = values_of(dlogits) + i * g.classes;
    const double log_sum = log_sum_exp(z, g.classes);
    for (int64_t j = 0; j < g.classes; ++j) {
      const double target = elsewhere + (j == labels[i] ? 1 - g.smoothing : 0);
      const real d = static_cast<real>(dlosses[i] * (std::exp(static_cast<double>(z[j]) - log_sum) - target));
      dz[j] = write == Write::add ? dz[j] + d : d;
    }
  });
}

}  // namespace crescendo::CRESCENDO_CPU
