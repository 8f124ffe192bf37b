// One pass over the flat store each; the formulas stand in kernels/pointwise.h. Values are their own
// activation copy here, so `copy` is null.
#include "kernels/cpu/cpu_backend.h"
#include "kernels/pointwise.h"

namespace crescendo::CRESCENDO_CPU {

void CpuBackend::sgd(const OptimizerStep& step, const real* gradients, real* values, activation*) {
  if (is_stopped(step.counters)) return;
  each(step.n, [=, update = SgdUpdate(step)](int64_t i) { values[i] = update(i, gradients[i], values[i]); });
}

void CpuBackend::momentum(const MomentumStep& step, const real* gradients, real* values, real* velocity,
                          activation*) {
  if (is_stopped(step.counters)) return;
  each(step.n, [=, update = MomentumUpdate(step)](int64_t i) {
    values[i] = update(i, gradients[i], values[i], velocity[i]);
  });
}

void CpuBackend::adam(const AdamStep& step, const real* gradients, real* values, real* first, real* second,
                      activation*) {
  if (is_stopped(step.counters)) return;
  each(step.n, [=, update = AdamUpdate(step)](int64_t i) {
    values[i] = update(i, gradients[i], values[i], first[i], second[i]);
  });
}

}  // namespace crescendo::CRESCENDO_CPU
