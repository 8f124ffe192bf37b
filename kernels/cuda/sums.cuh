// The sums of an update (kernels/calls/sums.h).
#pragma once

#include <cmath>

#include "kernels/cuda/flat_reduce.cuh"
#include "kernels/cuda/own_kernels.h"
#include "kernels/exact_sum.h"

namespace crescendo::cuda {

// Calls f(i) for i in [0, n), and sets counts->bad if f returns 1, not 0, for one of them.
template <class F>
void note_bad(const LaunchContext& context, int64_t n, UpdateCounts* counts, const F& f) {
  const auto note = [counts] __device__(int found) {
    if (found != 0) counts->bad = 1;
  };
  reduce(context.stream, n, 0, f, Either(), static_cast<int*>(context.partials), note);
}

template <class T>
void OwnKernels<T>::compute(const BeginUpdate& call) {
  each(stream(), call.n + 1,
       [n = call.n, first = call.first, position = call.position, ghosts = call.ghosts, sums = call.sums,
        counters = call.counters, counts = call.counts] __device__(int64_t i) {
         if (i < n) {
           sums[i] = 0;
           return;
         }
         counters->first = first;
         counters->position = position;
         counters->ghosts = ghosts;
         *counts = UpdateCounts();
       });
}

template <class T>
void OwnKernels<T>::compute(const AddToSums& call) {
  note_bad(context_, call.n, call.counts,
           [ghosts = call.ghosts, stride = call.ghost_stride, unit = call.unit, gradients = call.gradients,
            sums = call.sums, counters = call.counters] __device__(int64_t i) {
             const SumFormat format = gradient_format(unit, counters->ghosts);
             int64_t sum = 0;
             int bad = 0;
             for (int64_t ghost = 0; ghost < ghosts; ++ghost) {
               const double gradient = gradients[ghost * stride + i];
               sum += format.units(gradient);
               bad |= format.holds(gradient) ? 0 : 1;
             }
             sums[i] += sum;
             return bad;
           });
}

template <class T>
void OwnKernels<T>::compute(const AddStatistics& call) {
  const BatchNormGeometry& g = call.geometry;
  if (g.n == 0) return;
  note_bad(context_, g.c, call.counts,
           [g, ghosts = g.ghosts(), momentum = call.momentum, mean_of_ghosts = call.mean_of_ghosts,
            mean = call.mean, variance = call.variance, mean_sums = call.mean_sums,
            variance_sums = call.variance_sums, counters = call.counters] __device__(int64_t c) {
             const StatisticTerms terms(g, momentum, mean_of_ghosts, *counters);
             bool held = true;
             for (int64_t ghost = 0; ghost < ghosts; ++ghost) {
               const double weight = terms.weight(ghost);
               const int64_t i = ghost * g.c + c;
               held &= StatisticTerms::add(weight, mean[i], mean_sums[c]);
               held &= StatisticTerms::add(weight, terms.unbiased * variance[i], variance_sums[c]);
             }
             return held ? 0 : 1;
           });
}

template <class T>
void OwnKernels<T>::compute(const TakeSums& call) {
  each(stream(), call.n,
       [unit = call.unit, keep = call.keep, sums = call.sums, to = call.to,
        counters = call.counters] __device__(int64_t i) {
         if (!is_stopped(counters)) to[i] = taken_sum(unit, sums[i], keep, to[i]);
       });
}

template <class T>
void OwnKernels<T>::compute(const SumOfSquares& call) {
  const auto square = [x = call.x] __device__(int64_t i) {
    return static_cast<double>(x[i]) * static_cast<double>(x[i]);
  };
  const auto put = [result = call.result] __device__(double sum) { *result = sum; };
  reduce(stream(), call.n, 0.0, square, Sum(), static_cast<double*>(context_.partials), put);
}

template <class T>
void OwnKernels<T>::compute(const AddSquare& call) {
  each(stream(), 1,
       [scale = call.scale, square = call.square, counters = call.counters, counts = call.counts] __device__(
           int64_t) { add_square(scale * *square, counters->ghosts, *counts); });
}

// Runs in one block.
static __global__ void __launch_bounds__(kThreads)
    count_samples_kernel(SampleCount g, const real* losses, const int32_t* correct, StepCounters* counters,
                         UpdateCounts* counts) {
  const SumFormat format = loss_format(counters->ghosts * g.ghost);
  UpdateCounts sums;
  for (int64_t i = threadIdx.x; i < g.n; i += blockDim.x) {
    const double loss = losses[i];
    sums.loss += format.units(loss);
    sums.correct += correct[i];
    sums.bad |= format.holds(loss) ? 0 : 1;
  }
  const auto add = [](int64_t a, int64_t b) { return a + b; };
  int64_t* shared = dynamic_shared<int64_t>();
  sums.loss = block_reduce(sums.loss, shared, add);
  sums.correct = block_reduce(sums.correct, shared, add);
  sums.bad = block_reduce(sums.bad, shared, add);
  if (threadIdx.x != 0) return;
  counts->loss += sums.loss;
  counts->correct += sums.correct;
  if (sums.bad != 0) counts->bad = 1;
  counters->position += g.n;
}

template <class T>
void OwnKernels<T>::compute(const CountSamples& call) {
  if (call.geometry.n == 0) return;
  constexpr size_t kShared = kThreads / kWarp * sizeof(int64_t);
  launch(stream(), {dim3(1), kThreads, kShared}, count_samples_kernel, call.geometry, call.losses,
         call.correct, call.counters, call.counts);
}

template <class T>
void OwnKernels<T>::compute(const CheckFinite& call) {
  note_bad(context_, call.n, call.counts, [gradients = call.gradients] __device__(int64_t i) {
    return std::isfinite(gradients[i]) ? 0 : 1;
  });
}

template <class T>
void OwnKernels<T>::compute(const EndUpdate& call) {
  each(stream(), 1, [counters = call.counters, counts = call.counts] __device__(int64_t) {
    end_update(*counters, *counts);
  });
}

}  // namespace crescendo::cuda
