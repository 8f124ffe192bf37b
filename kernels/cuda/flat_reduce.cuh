// Reductions of flat stores: at most kPartials blocks leave one partial result each,
// and one block combines them.
#pragma once

#include <algorithm>

#include "kernels/cuda/launch_context.h"
#include "kernels/cuda/reduce.cuh"

namespace crescendo::cuda {

// Calls finish(block, value), where value combines f(i) over the block's indices: every gridDim-th run of
// blockDim indices below n.
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

// Calls finish(value) in one thread,
// where value combines f(i) for i in [0, n) in an order that follows from n alone.
template <class V, class F, class Combine, class Finish>
void reduce(cudaStream_t stream, int64_t n, V initial, const F& f, const Combine& combine, V* partials,
            const Finish& finish) {
  constexpr int64_t kEach = 4;  // elements of a thread, if there are many
  const unsigned blocks =
      blocks_for(std::clamp<int64_t>(n, 1, kPartials * kThreads * kEach), kThreads * kEach);
  constexpr size_t kShared = kThreads / kWarp * sizeof(V);
  const auto keep = [partials] __device__(unsigned block, V value) { partials[block] = value; };
  launch(stream, {dim3(blocks), kThreads, kShared}, reduce_kernel<V, F, Combine, decltype(keep)>, n, initial,
         f, combine, keep);
  const auto partial = [partials] __device__(int64_t i) { return partials[i]; };
  const auto end = [finish] __device__(unsigned, V value) { finish(value); };
  launch(stream, {dim3(1), kThreads, kShared}, reduce_kernel<V, decltype(partial), Combine, decltype(end)>,
         int64_t{blocks}, initial, partial, combine, end);
}

}  // namespace crescendo::cuda
