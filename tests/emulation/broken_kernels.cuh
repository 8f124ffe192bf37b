// Kernels with the faults that the emulator must find. Each kernel has two versions: if `correct` is false,
// it has the fault that its comment describes. They map x[n] to y[n]; grids consist of whole blocks.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/tensor_core.h"

namespace crescendo::emulation {

constexpr unsigned kAllLanes = 0xFFFFFFFF;

__device__ inline unsigned global_thread() { return blockIdx.x * blockDim.x + threadIdx.x; }

__device__ inline float* shared_floats() { return static_cast<float*>(emulated_shared_memory()); }

// Reverses each block. Missing barrier: other threads' values are read before they are written.
template <bool correct>
__global__ void reverse_blocks(const float* x, float* y, int) {
  float* shared = shared_floats();
  shared[threadIdx.x] = x[global_thread()];
  if constexpr (correct) __syncthreads();
  y[global_thread()] = shared[blockDim.x - 1 - threadIdx.x];
}

// Gives each block's sum to its threads. Missing barrier after what one thread does for all.
template <bool correct>
__global__ void block_totals(const float* x, float* y, int) {
  float* shared = shared_floats();
  shared[threadIdx.x] = x[global_thread()];
  __syncthreads();
  if (threadIdx.x == 0)
    for (unsigned i = 1; i < blockDim.x; ++i) shared[0] += shared[i];
  if constexpr (correct) __syncthreads();
  y[global_thread()] = shared[0];
}

// Each warp's sum is left in shared memory; then every thread adds those of all warps.
__device__ inline float sum_of_warps(float value, float* shared) {
  for (int distance = warpSize / 2; distance > 0; distance /= 2)
    value += __shfl_xor_sync(kAllLanes, value, distance);
  if (threadIdx.x % warpSize == 0) shared[threadIdx.x / warpSize] = value;
  __syncthreads();
  float sum = 0;
  for (unsigned warp = 0; warp < blockDim.x / warpSize; ++warp) sum += shared[warp];
  return sum;
}

// The block's sum of x plus three times its sum of x * x. Missing barrier between the two uses of one shared
// buffer: a fast warp's second sum overwrites what a slow one has yet to read.
template <bool correct>
__global__ void two_sums(const float* x, float* y, int) {
  const float value = x[global_thread()];
  const float first = sum_of_warps(value, shared_floats());
  if constexpr (correct) __syncthreads();
  const float second = sum_of_warps(value * value, shared_floats());
  y[global_thread()] = first + 3 * second;
}

// Adds to each value that of the other half of the block. Divergent barrier: each half has its own.
template <bool correct>
__global__ void add_other_half(const float* x, float* y, int) {
  float* shared = shared_floats();
  const unsigned half = blockDim.x / 2;
  const float value = x[global_thread()];
  shared[threadIdx.x] = value;
  if constexpr (correct) {
    __syncthreads();
    y[global_thread()] = value + shared[threadIdx.x < half ? threadIdx.x + half : threadIdx.x - half];
  } else if (threadIdx.x < half) {
    __syncthreads();
    y[global_thread()] = value + shared[threadIdx.x + half];
  } else {
    __syncthreads();
    y[global_thread()] = value + shared[threadIdx.x - half];
  }
}

// Reverses what of each block lies below n - 1; the last value stays out. Divergent barrier: the thread that
// has nothing to do has left.
template <bool correct>
__global__ void reverse_all_but_last(const float* x, float* y, int n) {
  float* shared = shared_floats();
  const auto i = static_cast<int>(global_thread());
  if constexpr (!correct)
    if (i == n - 1) return;
  shared[threadIdx.x] = x[i];
  __syncthreads();
  if (i < n - 1) y[i] = shared[blockDim.x - 1 - threadIdx.x];
}

// Adds the neighbour's value to all but the last.
// Shuffle after exit: that one has left, but the mask names it.
template <bool correct>
__global__ void add_neighbour(const float* x, float* y, int n) {
  const auto i = static_cast<int>(global_thread());
  if constexpr (!correct)
    if (i == n - 1) return;
  const float neighbour = __shfl_xor_sync(kAllLanes, x[i], 1);
  if (i < n - 1) y[i] = x[i] + neighbour;
}

// Sums over half warps. Wrong mask: only the first half calls the shuffle whose mask names all.
template <bool correct>
__global__ void half_warp_sums(const float* x, float* y, int) {
  const unsigned half = warpSize / 2;
  const bool first_half = threadIdx.x % warpSize < half;
  const unsigned mask = correct ? (first_half ? 0x0000FFFF : 0xFFFF0000) : kAllLanes;
  float value = x[global_thread()];
  if (first_half) {
    for (int distance = 1; distance < 16; distance *= 2) value += __shfl_xor_sync(mask, value, distance);
  } else {
    for (int distance = 1; distance < 16; distance *= 2) value += __shfl_xor_sync(mask, value, distance);
  }
  y[global_thread()] = value;
}

// Adds the value to the left of each within its block. Write out of bounds: the last thread's goes past the
// end of shared memory.
template <bool correct>
__global__ void add_left(const float* x, float* y, int) {
  float* shared = shared_floats();
  const float value = x[global_thread()];
  if (threadIdx.x == 0) shared[0] = 0;
  if (!correct || threadIdx.x + 1 < blockDim.x) shared[threadIdx.x + 1] = value;
  __syncthreads();
  y[global_thread()] = value + shared[threadIdx.x];
}

// Doubles two values a thread, by half as many threads; a grid of whole blocks has too many. Write out of
// bounds of y: nothing holds those back.
template <bool correct>
__global__ void twice(const float* x, float* y, int n) {
  for (unsigned k = 0; k < 2; ++k) {
    const unsigned i = 2 * global_thread() + k;
    const bool inside = i < static_cast<unsigned>(n);
    if (!correct || inside) y[i] = 2 * x[inside ? i : 0];
  }
}

// The block's sum of its even values. Read of shared memory that was not written: the odd threads' places.
template <bool correct>
__global__ void even_sums(const float* x, float* y, int) {
  float* shared = shared_floats();
  if (threadIdx.x % 2 == 0)
    shared[threadIdx.x] = x[global_thread()];
  else if (correct)
    shared[threadIdx.x] = 0;
  __syncthreads();
  float sum = 0;
  for (unsigned i = 0; i < blockDim.x; ++i) sum += shared[i];
  y[global_thread()] = sum;
}

// Copies the block's values into shared memory, four a thread, in the order of the threads or against it.
__device__ inline void copy_block(const float* x, float* shared, bool backwards) {
  const unsigned copies = blockDim.x / 4;
  if (threadIdx.x >= copies) return;
  const unsigned from = backwards ? copies - 1 - threadIdx.x : threadIdx.x;
  cuda::copy_async(shared + 4 * threadIdx.x, x + blockIdx.x * blockDim.x + 4 * from, false);
}

// Reverses each block. Missing wait: one group may still be under way, and there is one.
template <bool correct>
__global__ void reverse_copied(const float* x, float* y, int) {
  float* shared = shared_floats();
  copy_block(x, shared, false);
  cuda::commit_copies();
  cuda::wait_copies<correct ? 0 : 1>();
  __syncthreads();
  y[global_thread()] = shared[blockDim.x - 1 - threadIdx.x];
}

// Waits for copies that belong to no group yet.
template <bool correct>
__global__ void reverse_uncommitted(const float* x, float* y, int) {
  float* shared = shared_floats();
  copy_block(x, shared, false);
  if constexpr (correct) cuda::commit_copies();
  cuda::wait_copies<0>();
  __syncthreads();
  y[global_thread()] = shared[blockDim.x - 1 - threadIdx.x];
}

// Adds to each block reversed the block with its fours reversed. Missing barrier before a copy into a buffer
// that others still read.
template <bool correct>
__global__ void add_two_orders(const float* x, float* y, int) {
  float* shared = shared_floats();
  copy_block(x, shared, false);
  cuda::commit_copies();
  cuda::wait_copies<0>();
  __syncthreads();
  const float first = shared[blockDim.x - 1 - threadIdx.x];
  if constexpr (correct) __syncthreads();
  copy_block(x, shared, true);
  cuda::commit_copies();
  cuda::wait_copies<0>();
  __syncthreads();
  y[global_thread()] = first + shared[threadIdx.x];
}

}  // namespace crescendo::emulation
