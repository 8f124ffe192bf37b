// Elementwise kernels, which are limited by memory bandwidth. A thread takes 16 bytes of the widest operand
// at a time if all operands are aligned accordingly, otherwise one element.
#pragma once

#include <algorithm>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"

namespace crescendo::cuda {

constexpr size_t kVectorBytes = 16;

// The first element of a thread, and the distance from one of its vectors to the next.
template <int Width>
struct Stride {
  int64_t first, step;
  __device__ Stride()
      : first((static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * Width),
        step(static_cast<int64_t>(gridDim.x) * blockDim.x * Width) {}
};

inline unsigned map_blocks(int64_t n, int width) {
  constexpr int64_t kMostBlocks = 4096;  // beyond this, threads take several vectors
  return blocks_for(std::min(n, kMostBlocks * kThreads * width), int64_t{kThreads} * width);
}

template <int Width, class T, class F, class... From>
__device__ Vector<T, Width> map_lanes(const F& f, const Vector<From, Width>&... from) {
  Vector<T, Width> to;
  for (int lane = 0; lane < Width; ++lane) to.lanes[lane] = T(f(static_cast<real>(from.lanes[lane])...));
  return to;
}

template <int Width, class T, class F, class... From>
__global__ void __launch_bounds__(kThreads) map_kernel(int64_t n, T* to, F f, const From*... from) {
  const Stride<Width> stride;
  for (int64_t i = stride.first; i < n; i += stride.step)
    if (i + Width <= n)
      store(to + i, map_lanes<Width, T>(f, load<Width>(from + i)...));
    else
      for (int64_t last = i; last < n; ++last) to[last] = T(f(static_cast<real>(from[last])...));
}

// to[i] = f(from[i]...) for i in [0, n); `to` may be among `from`.
template <class T, class F, class... From>
void map(cudaStream_t stream, int64_t n, T* to, const F& f, const From*... from) {
  constexpr int kWide = static_cast<int>(kVectorBytes / std::max({sizeof(T), sizeof(From)...}));
  if (n <= 0) return;
  if (is_aligned(to, kWide) && (is_aligned(from, kWide) && ...))
    launch(stream, {dim3(map_blocks(n, kWide)), kThreads}, map_kernel<kWide, T, F, From...>, n, to, f,
           from...);
  else
    launch(stream, {dim3(map_blocks(n, 1)), kThreads}, map_kernel<1, T, F, From...>, n, to, f, from...);
}

template <class F>
struct AddTo {
  F f;
  template <class... V>
  __device__ real operator()(real before, V... values) const {
    return before + f(values...);
  }
};

// to[i] (=|+=) f(from[i]...) for i in [0, n).
template <class T, class F, class... From>
void map_write(cudaStream_t stream, int64_t n, Write write, T* to, const F& f, const From*... from) {
  if (write == Write::add)
    map(stream, n, to, AddTo<F>{f}, static_cast<const T*>(to), from...);
  else
    map(stream, n, to, f, from...);
}

}  // namespace crescendo::cuda
