// Softmax and cross-entropy in double, one warp for each sample:
//   loss = log(sum exp(z)) - (1 - smoothing) z[label] - smoothing mean(z)
//   dloss/dz[j] = softmax(z)[j] - target[j]
// The loss is NaN if a logit is NaN or +infinity.
#pragma once

#include <cmath>

#include "kernels/cuda/own_kernels.h"
#include "kernels/cuda/reduce.cuh"

namespace crescendo::cuda {

// The sample of the warp that a thread belongs to.
struct Sample {
  int64_t index;
  int lane;
  __device__ Sample()
      : index(static_cast<int64_t>(blockIdx.x) * (blockDim.x / kWarp) + threadIdx.x / kWarp),
        lane(static_cast<int>(threadIdx.x % kWarp)) {}

  // Returns f(j) combined over j in [0, n).
  template <class V, class F, class Combine>
  __device__ V reduce(int64_t n, V initial, const F& f, const Combine& combine) const {
    V value = initial;
    for (int64_t j = lane; j < n; j += kWarp) value = combine(value, f(j));
    return warp_reduce(value, combine);
  }
};

// log(sum exp(z)) without overflow: the largest logit is taken out first.
template <class T>
__device__ double log_sum_exp(const Sample& sample, const T* z, int64_t classes) {
  const auto logit = [z](int64_t j) { return static_cast<double>(z[j]); };
  const double largest = sample.reduce(classes, static_cast<double>(z[0]), logit,
                                       [](double a, double b) { return a > b ? a : b; });
  const double sum = sample.reduce(
      classes, 0.0, [&](int64_t j) { return std::exp(logit(j) - largest); },
      [](double a, double b) { return a + b; });
  return largest + std::log(sum);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_forward_kernel(CrossEntropyGeometry g, const T* logits, const int32_t* labels, real* losses,
                                 int32_t* correct) {
  const Sample sample;
  if (sample.index >= g.n) return;
  const T* z = logits + sample.index * g.classes;
  const int32_t label = labels[sample.index];
  const auto add = [](double a, double b) { return a + b; };
  double loss = log_sum_exp(sample, z, g.classes) - (1 - g.smoothing) * static_cast<double>(z[label]);
  if (g.smoothing > 0)
    loss -= g.smoothing *
            sample.reduce(
                g.classes, 0.0, [z](int64_t j) { return static_cast<double>(z[j]); }, add) /
            static_cast<double>(g.classes);
  // The label's logit is the first of the largest; with a NaN there is no largest.
  const int wins = sample.reduce(
      g.classes, 1, [&](int64_t j) { return (j < label ? z[label] > z[j] : z[label] >= z[j]) ? 1 : 0; },
      [](int a, int b) { return a & b; });
  if (sample.lane > 0) return;
  losses[sample.index] = static_cast<real>(loss);
  correct[sample.index] = wins;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_backward_kernel(CrossEntropyGeometry g, const T* logits, const int32_t* labels,
                                  const real* dlosses, T* dlogits, Write write) {
  const Sample sample;
  if (sample.index >= g.n) return;
  const T* z = logits + sample.index * g.classes;
  T* dz = dlogits + sample.index * g.classes;
  const double log_sum = log_sum_exp(sample, z, g.classes);
  const double elsewhere = g.smoothing / static_cast<double>(g.classes);
  for (int64_t j = sample.lane; j < g.classes; j += kWarp) {
    const double target = elsewhere + (j == labels[sample.index] ? 1 - g.smoothing : 0);
    const real d =
        static_cast<real>(dlosses[sample.index] * (std::exp(static_cast<double>(z[j]) - log_sum) - target));
    dz[j] = T(write == Write::add ? dz[j] + d : d);
  }
}

inline Grid warp_a_sample(int64_t samples) { return {dim3(blocks_for(samples, kThreads / kWarp)), kThreads}; }

template <class T>
void OwnKernels<T>::compute(const SoftmaxCrossEntropyForward& call) {
  const CrossEntropyGeometry& g = call.geometry;
  if (g.n * g.classes == 0) return;
  launch(stream(), warp_a_sample(g.n), cross_entropy_forward_kernel<T>, g, values_of(call.logits),
         call.labels, call.losses, call.correct);
}

template <class T>
void OwnKernels<T>::compute(const SoftmaxCrossEntropyBackward& call) {
  const CrossEntropyGeometry& g = call.geometry;
  if (g.n * g.classes == 0) return;
  launch(stream(), warp_a_sample(g.n), cross_entropy_backward_kernel<T>, g, values_of(call.logits),
         call.labels, call.dlosses, values_of(call.dlogits), call.write);
}

}  // namespace crescendo::cuda
