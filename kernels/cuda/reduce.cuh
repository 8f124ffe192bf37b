// Reductions over the threads of a block, in an order that follows from the number of threads alone.
#pragma once

#include "kernels/cuda/launch.h"

namespace crescendo::cuda {

constexpr unsigned kWarp = 32;
constexpr unsigned kWholeWarp = 0xFFFFFFFF;

// Returns combine(a, b) over the lanes of a warp, to all of them. Every lane must take part.
template <class V, class Combine>
__device__ V warp_reduce(V value, const Combine& combine) {
  for (unsigned distance = kWarp / 2; distance > 0; distance /= 2)
    value = combine(value, __shfl_xor_sync(kWholeWarp, value, static_cast<int>(distance)));
  return value;
}

// Returns combine(a, b) over the threads of a block of whole warps, to all of them. Every thread must take
// part. `shared` has room for one value a warp and may be used again at once.
template <class V, class Combine>
__device__ V block_reduce(V value, V* shared, const Combine& combine) {
  value = warp_reduce(value, combine);
  const unsigned warps = blockDim.x / kWarp;
  if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = value;
  __syncthreads();
  V result = shared[0];
  for (unsigned warp = 1; warp < warps; ++warp) result = combine(result, shared[warp]);
  __syncthreads();
  return result;
}

}  // namespace crescendo::cuda
