#include "trainer/step/optimizer.h"

namespace crescendo {

Optimizer::Optimizer(const TrainOptions& options, ParameterStore& store)
    : kind_(options.optimizer),
      beta1_(options.beta1),
      beta2_(options.beta2),
      epsilon_(options.epsilon),
      no_decay_norm_(options.no_decay_norm),
      store_(store) {
  const auto add_buffer = [&](const char* name) {
    const Tensor buffer = Tensor::reals(store.values().device(), {store.size()});
    buffer.device().kernels().fill(buffer.size(), 0, buffer.as_reals());
    buffers_.push_back({name, buffer});
  };
  if (kind_ == OptimizerKind::momentum || kind_ == OptimizerKind::nesterov) add_buffer("momentum");
  if (kind_ == OptimizerKind::adam) {
    add_buffer("first_moment");
    add_buffer("second_moment");
  }
}

void Optimizer::step(const Setting& setting, int64_t update, const Tensor& gradients,
                     const StepCounters* counters) {
  Backend& kernels = store_.values().device().kernels();
  real* values = store_.values().as_reals();
  const OptimizerStep step{.n = store_.size(),
                           .decayed = no_decay_norm_ ? store_.norm_begin() : store_.size(),
                           .learning_rate = setting.learning_rate,
                           .weight_decay = setting.weight_decay,
                           .gradient_scale = 1.0 / static_cast<double>(setting.batch),
                           .counters = counters};
  switch (kind_) {
    case OptimizerKind::sgd:
      return kernels.sgd(step, gradients.as_reals(), values, store_.weight_copy());
    case OptimizerKind::momentum:
    case OptimizerKind::nesterov:
      return kernels.momentum({step, setting.momentum, kind_ == OptimizerKind::nesterov},
                              gradients.as_reals(), values, buffers_[0].values.as_reals(),
                              store_.weight_copy());
    case OptimizerKind::adam:
      return kernels.adam({step, beta1_, beta2_, epsilon_, update}, gradients.as_reals(), values,
                          buffers_[0].values.as_reals(), buffers_[1].values.as_reals(), store_.weight_copy());
  }
}

}  // namespace crescendo
