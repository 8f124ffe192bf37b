// Optimizers. Each is one pass over the flat store, with the formulas of kernels/pointwise.h. On the CPU an
// activation is a real, so parameters need no copy as activations and `copy` is null.
#include "kernels/cpu/cpu_backend.h"
#include "kernels/pointwise.h"

namespace crescendo::CRESCENDO_CPU {

void CpuBackend::compute(const Sgd& c) {
  if (is_stopped(c.step.counters)) return;
  each(c.step.n, [gradients = c.gradients, values = c.values, update = SgdUpdate(c.step)](int64_t i) {
    values[i] = update(i, gradients[i], values[i]);
  });
}

void CpuBackend::compute(const Momentum& c) {
  if (is_stopped(c.step.counters)) return;
  each(c.step.n,
       [gradients = c.gradients, values = c.values, velocity = c.velocity, update = MomentumUpdate(c.step)](
           int64_t i) { values[i] = update(i, gradients[i], values[i], velocity[i]); });
}

void CpuBackend::compute(const Adam& c) {
  if (is_stopped(c.step.counters)) return;
  each(c.step.n, [gradients = c.gradients, values = c.values, first = c.first_moment,
                  second = c.second_moment, update = AdamUpdate(c.step)](int64_t i) {
    values[i] = update(i, gradients[i], values[i], first[i], second[i]);
  });
}

}  // namespace crescendo::CRESCENDO_CPU
