// One pass over the flat store each, which also writes the copy that convolutions read; the formulas stand in
// kernels/pointwise.h.
#pragma once

#include "kernels/cuda/launch.h"
#include "kernels/cuda/own_kernels.h"
#include "kernels/pointwise.h"

namespace crescendo::cuda {

template <class T>
HD void write_value(int64_t i, real value, real* values, T* copy) {
  values[i] = value;
  if (copy != nullptr) copy[i] = T(value);
}

template <class T>
void OwnKernels<T>::sgd(const OptimizerStep& step, const real* gradients, real* values, activation* copy) {
  each(stream_, step.n,
       [=, update = SgdUpdate(step), counters = step.counters, copy = values_of(copy)] __device__(int64_t i) {
         if (is_stopped(counters)) return;
         write_value(i, update(i, gradients[i], values[i]), values, copy);
       });
}

template <class T>
void OwnKernels<T>::momentum(const MomentumStep& step, const real* gradients, real* values, real* velocity,
                             activation* copy) {
  each(stream_, step.n,
       [=, update = MomentumUpdate(step), counters = step.counters,
        copy = values_of(copy)] __device__(int64_t i) {
         if (is_stopped(counters)) return;
         write_value(i, update(i, gradients[i], values[i], velocity[i]), values, copy);
       });
}

template <class T>
void OwnKernels<T>::adam(const AdamStep& step, const real* gradients, real* values, real* first, real* second,
                         activation* copy) {
  each(
      stream_, step.n,
      [=, update = AdamUpdate(step), counters = step.counters, copy = values_of(copy)] __device__(int64_t i) {
        if (is_stopped(counters)) return;
        write_value(i, update(i, gradients[i], values[i], first[i], second[i]), values, copy);
      });
}

}  // namespace crescendo::cuda
