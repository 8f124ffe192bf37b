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
    buffer.device().run(Fill{.n = buffer.size(), .value = 0, .to = buffer.as_reals()});
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
  const Device& device = store_.values().device();
  real* values = store_.values().as_reals();
  const OptimizerStep step{.n = store_.size(),
                           .decayed = no_decay_norm_ ? store_.norm_begin() : store_.size(),
                           .learning_rate = setting.learning_rate,
                           .weight_decay = setting.weight_decay,
                           .gradient_scale = 1.0 / static_cast<double>(setting.batch),
                           .counters = counters};
  switch (kind_) {
    case OptimizerKind::sgd:
      return device.run(Sgd{
          .step = step, .gradients = gradients.as_reals(), .values = values, .copy = store_.weight_copy()});
    case OptimizerKind::momentum:
    case OptimizerKind::nesterov:
      return device.run(Momentum{.step = {step, setting.momentum, kind_ == OptimizerKind::nesterov},
                                 .gradients = gradients.as_reals(),
                                 .values = values,
                                 .velocity = buffers_[0].values.as_reals(),
                                 .copy = store_.weight_copy()});
    case OptimizerKind::adam:
      return device.run(Adam{.step = {step, beta1_, beta2_, epsilon_, update},
                             .gradients = gradients.as_reals(),
                             .values = values,
                             .first_moment = buffers_[0].values.as_reals(),
                             .second_moment = buffers_[1].values.as_reals(),
                             .copy = store_.weight_copy()});
  }
}

}  // namespace crescendo
