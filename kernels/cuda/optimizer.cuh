// Optimizers: one pass over the flat store, which also writes the copy that convolutions read. The formulas
// are in kernels/pointwise.h.
#pragma once

#include "kernels/cuda/map.cuh"
#include "kernels/cuda/own_kernels.h"
#include "kernels/pointwise.h"

namespace crescendo::cuda {

// The operands of an optimizer. State and copy may be null.
template <class T>
struct Optimized {
  const real* gradients;
  real *values, *first, *second;
  T* copy;

  bool is_aligned(int width) const {
    return cuda::is_aligned(gradients, width) && cuda::is_aligned(values, width) &&
           cuda::is_aligned(first, width) && cuda::is_aligned(second, width) && cuda::is_aligned(copy, width);
  }
};

// Updates Width elements from i on: value = f(i, gradient, value, first, second). f updates its state too.
template <int Width, class T, class F>
__device__ void update_lanes(int64_t i, const F& f, const Optimized<T>& o) {
  const auto gradients = load<Width>(o.gradients + i);
  auto values = load<Width>(o.values + i);
  Vector<real, Width> first{}, second{};
  if (o.first != nullptr) first = load<Width>(o.first + i);
  if (o.second != nullptr) second = load<Width>(o.second + i);
  Vector<T, Width> copy;
  for (int lane = 0; lane < Width; ++lane) {
    real& value = values.lanes[lane];
    value = f(i + lane, gradients.lanes[lane], value, first.lanes[lane], second.lanes[lane]);
    copy.lanes[lane] = T(value);
  }
  store(o.values + i, values);
  if (o.first != nullptr) store(o.first + i, first);
  if (o.second != nullptr) store(o.second + i, second);
  if (o.copy != nullptr) store(o.copy + i, copy);
}

template <int Width, class T, class F>
__global__ void __launch_bounds__(kThreads)
    update_kernel(int64_t n, const StepCounters* counters, F f, Optimized<T> o) {
  if (is_stopped(counters)) return;
  const Stride<Width> stride;
  for (int64_t i = stride.first; i < n; i += stride.step)
    if (i + Width <= n)
      update_lanes<Width>(i, f, o);
    else
      for (int64_t last = i; last < n; ++last) update_lanes<1>(last, f, o);
}

template <class T, class F>
void update(cudaStream_t stream, const OptimizerStep& step, const F& f, const Optimized<T>& o) {
  constexpr int kWide = static_cast<int>(kVectorBytes / sizeof(real));
  if (step.n <= 0) return;
  if (o.is_aligned(kWide))
    launch(stream, {dim3(map_blocks(step.n, kWide)), kThreads}, update_kernel<kWide, T, F>, step.n,
           step.counters, f, o);
  else
    launch(stream, {dim3(map_blocks(step.n, 1)), kThreads}, update_kernel<1, T, F>, step.n, step.counters, f,
           o);
}

template <class T>
void OwnKernels<T>::compute(const Sgd& call) {
  update<T>(stream(), call.step,
            [formula = SgdUpdate(call.step)] __device__(int64_t i, real gradient, real value, real&, real&) {
              return formula(i, gradient, value);
            },
            {call.gradients, call.values, nullptr, nullptr, values_of(call.copy)});
}

template <class T>
void OwnKernels<T>::compute(const Momentum& call) {
  update<T>(
      stream(), call.step,
      [formula = MomentumUpdate(call.step)] __device__(int64_t i, real gradient, real value, real & v,
                                                       real&) { return formula(i, gradient, value, v); },
      {call.gradients, call.values, call.velocity, nullptr, values_of(call.copy)});
}

template <class T>
void OwnKernels<T>::compute(const Adam& call) {
  update<T>(
      stream(), call.step,
      [formula = AdamUpdate(call.step)] __device__(int64_t i, real gradient, real value, real & m, real & v) {
        return formula(i, gradient, value, m, v);
      },
      {call.gradients, call.values, call.first_moment, call.second_moment, values_of(call.copy)});
}

}  // namespace crescendo::cuda
