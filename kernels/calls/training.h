// The loss and the optimizers.
#pragma once

#include <string_view>
#include <variant>

#include "kernels/geometry.h"
#include "kernels/real.h"
#include "kernels/work.h"

namespace crescendo {

// losses = cross-entropy of softmax(logits) against the smoothed target, one a sample.
struct SoftmaxCrossEntropyForward {
  static constexpr std::string_view kName = "softmax_cross_entropy_forward";
  CrossEntropyGeometry geometry;
  const activation* logits;  // [n,classes]
  const int32_t* labels;     // [n], in [0, classes)
  real* losses;              // [n]
  int32_t* correct;          // [n]: 1 where the first largest logit is the label's, else 0

  Work work() const { return streaming(geometry.n * geometry.classes, 1); }
  bool operator==(const SoftmaxCrossEntropyForward&) const = default;
};

// dlogits (=|+=) dlosses * (softmax(logits) - target)
struct SoftmaxCrossEntropyBackward {
  static constexpr std::string_view kName = "softmax_cross_entropy_backward";
  CrossEntropyGeometry geometry;
  const activation* logits;  // [n,classes]
  const int32_t* labels;     // [n]
  const real* dlosses;       // [n]
  activation* dlogits;       // [n,classes]
  Write write;

  Work work() const { return streaming(geometry.n * geometry.classes, 2); }
  bool operator==(const SoftmaxCrossEntropyBackward&) const = default;
};

// ---- Optimizers, over n parameters. They write nothing if step.counters is not null and has stopped.
//   g = gradient_scale * gradient + weight_decay * value (the decay for the first `decayed` elements only)
// The learning rate stands outside the buffers. `copy` receives the new values in the activation type; null
// where activation is real.

// Returns the work of an optimizer that streams `stores` flat stores of n reals.
inline Work update_work(int64_t n, int64_t stores) { return {.reals = n * stores, .copies = n}; }

// value -= learning_rate * g
struct Sgd {
  static constexpr std::string_view kName = "sgd";
  OptimizerStep step;
  const real* gradients;  // [n]
  real* values;           // [n]
  activation* copy;       // [n], or null

  Work work() const { return update_work(step.n, 3); }
  bool operator==(const Sgd&) const = default;
};

// velocity = momentum * velocity + g
// value -= learning_rate * (nesterov ? g + momentum * velocity : velocity)
struct Momentum {
  static constexpr std::string_view kName = "momentum";
  MomentumStep step;
  const real* gradients;  // [n]
  real* values;           // [n]
  real* velocity;         // [n]
  activation* copy;       // [n], or null

  Work work() const { return update_work(step.n, 5); }
  bool operator==(const Momentum&) const = default;
};

// Kingma and Ba 2015, algorithm 1: first and second moments with bias correction; L2 weight decay in g.
struct Adam {
  static constexpr std::string_view kName = "adam";
  AdamStep step;
  const real* gradients;  // [n]
  real* values;           // [n]
  real* first_moment;     // [n]
  real* second_moment;    // [n]
  activation* copy;       // [n], or null

  Work work() const { return update_work(step.n, 7); }
  bool operator==(const Adam&) const = default;
};

using TrainingCalls =
    std::variant<SoftmaxCrossEntropyForward, SoftmaxCrossEntropyBackward, Sgd, Momentum, Adam>;

}  // namespace crescendo
