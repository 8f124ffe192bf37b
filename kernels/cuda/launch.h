// Kernel launches and what all kernels share. Everything is plain CUDA C++, so that tests can compile it with
// a stand-in for <cuda_runtime.h> and run it on the processor.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/check.h"
#include "kernels/real.h"

namespace crescendo::cuda {

struct Grid {
  dim3 blocks;
  unsigned threads;
  size_t shared_bytes = 0;
};

constexpr size_t kSharedWithoutConsent = 48 * 1024;

// Launches kernel(arguments...) in a stream. The grid must not be empty.
template <class... Parameters, class... Arguments>
void launch(cudaStream_t stream, const Grid& grid, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments));
  if (grid.shared_bytes > kSharedWithoutConsent)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(grid.shared_bytes)),
          "shared memory");
  const auto start = [&](Parameters... values) {
    void* places[] = {&values...};
    return cudaLaunchKernel(kernel, grid.blocks, dim3(grid.threads), places, grid.shared_bytes, stream);
  };
  check(start(static_cast<Parameters>(arguments)...), "launch");
}

// Returns the block's dynamic shared memory, of Grid::shared_bytes bytes, aligned to 128.
template <class T>
__device__ T* dynamic_shared() {
#ifdef __CUDACC__
  extern __shared__ __align__(128) unsigned char memory[];
  return reinterpret_cast<T*>(memory);
#else
  return static_cast<T*>(emulated_shared_memory());
#endif
}

inline unsigned blocks_for(int64_t items, int64_t per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

constexpr unsigned kThreads = 256;  // threads of a block, unless a kernel says otherwise

template <class F>
__global__ void __launch_bounds__(kThreads) each_kernel(int64_t n, F f) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) f(i);
}

// Calls f(i) for each i in [0, n). The calls are independent, so the number of threads changes nothing.
template <class F>
void each(cudaStream_t stream, int64_t n, const F& f) {
  constexpr int64_t kMostBlocks = 4096;  // beyond this, threads take several elements
  if (n <= 0) return;
  const unsigned blocks = blocks_for(std::min(n, kMostBlocks * kThreads), kThreads);
  launch(stream, {dim3(blocks), kThreads}, each_kernel<F>, n, f);
}

// to[i] (=|+=) f(i) for i in [0, n).
template <class T, class F>
void each_write(cudaStream_t stream, int64_t n, Write write, T* to, const F& f) {
  if (write == Write::add)
    each(stream, n, [=] __device__(int64_t i) { to[i] = T(to[i] + f(i)); });
  else
    each(stream, n, [=] __device__(int64_t i) { to[i] = T(f(i)); });
}

}  // namespace crescendo::cuda
