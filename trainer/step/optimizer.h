// SGD, momentum, Nesterov momentum and Adam over the whole flat parameter store at once. The momentum buffer
// does not contain the learning rate, so a change of learning rate needs no correction.
#pragma once

#include <vector>

#include "engine/parameters.h"
#include "trainer/options/options.h"
#include "trainer/store/checkpoint.h"

namespace crescendo {

class Optimizer {
 public:
  // State buffers start at zero, laid out like store.values().
  Optimizer(const TrainOptions& options, ParameterStore& store);

  // Makes one update. `gradients` [store.size()] are sums over setting.batch samples; `update` is 1 for the
  // run's first. Changes nothing if `counters` is given and has stopped.
  void step(const Setting& setting, int64_t update, const Tensor& gradients,
            const StepCounters* counters = nullptr);

  // The state: none for sgd, "momentum", or "first_moment" and "second_moment".
  const std::vector<OptimizerBuffer>& buffers() const { return buffers_; }

 private:
  OptimizerKind kind_;
  double beta1_, beta2_, epsilon_;
  bool no_decay_norm_;
  ParameterStore& store_;
  std::vector<OptimizerBuffer> buffers_;
};

}  // namespace crescendo
