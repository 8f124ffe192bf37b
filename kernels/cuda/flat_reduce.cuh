// The reductions of flat stores: kPartials blocks at most leave one result each, which one block combines.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/cuda/own_kernels.h"
#include "kernels/cuda/reduce.cuh"

namespace crescendo::cuda {

// finish(block, what combine makes of f(i) for every gridDim-th stretch of blockDim indices below n).
template <class V, class F, class Combine, class Finish>
__global__ void __launch_bounds__(kThreads)
    reduce_kernel(int64_t n, V initial, F f, Combine combine, Finish finish) {
  V value = initial;
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step)
    value = combine(value, f(i));
  value = block_reduce(value, dynamic_shared<V>(), combine);
  if (threadIdx.x == 0) finish(blockIdx.x, value);
}

struct Sum {
  HD double operator()(double a, double b) const { return a + b; }
};
struct Either {
  HD int operator()(int a, int b) const { return a | b; }
};

// finish(what combine makes of f(i) for i in [0, n)), by one thread, in an order that n alone decides.
template <class V, class F, class Combine, class Finish>
void reduce(cudaStream_t stream, int64_t n, V initial, const F& f, const Combine& combine, V* partials,
            int64_t most_partials, const Finish& finish) {
  constexpr int64_t kEach = 4;  // elements of a thread, where there are many
  const unsigned blocks =
      blocks_for(std::clamp<int64_t>(n, 1, most_partials * kThreads * kEach), kThreads * kEach);
  constexpr size_t kShared = kThreads / kWarp * sizeof(V);
  const auto keep = [partials] __device__(unsigned block, V value) { partials[block] = value; };
  launch(stream, {dim3(blocks), kThreads, kShared}, reduce_kernel<V, F, Combine, decltype(keep)>, n, initial,
         f, combine, keep);
  const auto partial = [partials] __device__(int64_t i) { return partials[i]; };
  const auto end = [finish] __device__(unsigned, V value) { finish(value); };
  launch(stream, {dim3(1), kThreads, kShared}, reduce_kernel<V, decltype(partial), Combine, decltype(end)>,
         int64_t{blocks}, initial, partial, combine, end);
}

template <class T>
void OwnKernels<T>::sum_of_squares(int64_t n, const real* x, double* result, Write write) {
  const auto square = [x] __device__(int64_t i) {
    return static_cast<double>(x[i]) * static_cast<double>(x[i]);
  };
  const auto put = [result, write] __device__(double sum) {
    *result = write == Write::add ? *result + sum : sum;
  };
  reduce(stream_, n, 0.0, square, Sum(), static_cast<double*>(partials()), kPartials, put);
}

template <class T>
void OwnKernels<T>::check_finite(int64_t n, const real* gradients, StepCounters* counters) {
  const auto bad = [gradients] __device__(int64_t i) { return std::isfinite(gradients[i]) ? 0 : 1; };
  const auto stop = [counters] __device__(int found) {
    if (is_stopped(counters) || (found == 0 && std::isfinite(counters->loss))) return;
    counters->stopped_at = counters->position;
  };
  reduce(stream_, n, 0, bad, Either(), static_cast<int*>(partials()), kPartials, stop);
}

}  // namespace crescendo::cuda
