// Formulas of pointwise operations on one element, written once for every backend: the CPU calls them in a
// loop, CUDA calls them in each thread.
#pragma once

#include <cmath>

#include "base/philox.h"
#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo {

// Returns max(0, x). NaN passes through, so that it reaches the loss and stops the run.
HD inline real relu_of(real x) { return x < 0 ? real{0} : x; }
// Returns the gradient of x, given y = relu_of(x) and the gradient of y.
HD inline real relu_gradient(real y, real dy) { return y <= 0 ? real{0} : dy; }

// ---- Formulas of the elementwise calls (kernels/calls/pointwise.h)

struct ReluOf {
  HD real operator()(real x) const { return relu_of(x); }
};

struct ReluGradient {
  HD real operator()(real y, real dy) const { return relu_gradient(y, dy); }
};

struct ScaledSum {
  real factor;

  explicit ScaledSum(double f) : factor(static_cast<real>(f)) {}
  HD real operator()(real a, real b) const { return a + factor * b; }
};

struct ScaledBy {
  real factor;

  explicit ScaledBy(double f) : factor(static_cast<real>(f)) {}
  HD real operator()(real x) const { return factor * x; }
};

struct Constant {
  real value;

  explicit Constant(double v) : value(static_cast<real>(v)) {}
  HD real operator()() const { return value; }
};

struct Blended {
  real keep, weight;

  Blended(double k, double w) : keep(static_cast<real>(k)), weight(static_cast<real>(w)) {}
  HD real operator()(real a, real b) const { return keep * a + weight * b; }
};

// ---- Dropout

// Returns the random words of elements 4 * block to 4 * block + 3 of the image at `position` of the run. One
// call of Philox serves four elements.
HD inline PhiloxWords dropout_words(const DropoutGeometry& g, uint64_t position, int64_t block) {
  return philox4x32({{static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
                      static_cast<uint32_t>(block), g.layer}},
                    g.key);
}
// Returns true if dropout keeps the element that has this random word.
HD inline bool dropout_keeps(const DropoutGeometry& g, uint32_t word) {
  return philox_uniform(word) < g.keep;
}

// The gradient g that the optimizers use:
//   g = gradient_scale * gradient + weight_decay * value
// Only the first `decayed` elements are subject to weight decay.
struct DecayedGradient {
  real gradient_scale, weight_decay;
  int64_t decayed;

  explicit DecayedGradient(const OptimizerStep& step)
      : gradient_scale(static_cast<real>(step.gradient_scale)),
        weight_decay(static_cast<real>(step.weight_decay)),
        decayed(step.decayed) {}
  HD real operator()(int64_t i, real gradient, real value) const {
    return gradient_scale * gradient + (i < decayed ? weight_decay : real{0}) * value;
  }
};

// Stochastic gradient descent:
//   value -= learning_rate * g
struct SgdUpdate {
  DecayedGradient gradient;
  real learning_rate;

  explicit SgdUpdate(const OptimizerStep& step)
      : gradient(step), learning_rate(static_cast<real>(step.learning_rate)) {}
  HD real operator()(int64_t i, real df, real value) const {
    return value - learning_rate * gradient(i, df, value);
  }
};

// SGD with momentum:
//   velocity = momentum * velocity + g
//   value -= learning_rate * (nesterov ? g + momentum * velocity : velocity)
struct MomentumUpdate {
  DecayedGradient gradient;
  real learning_rate, momentum;
  bool nesterov;

  explicit MomentumUpdate(const MomentumStep& step)
      : gradient(step),
        learning_rate(static_cast<real>(step.learning_rate)),
        momentum(static_cast<real>(step.momentum)),
        nesterov(step.nesterov) {}
  HD real operator()(int64_t i, real df, real value, real& velocity) const {
    const real g = gradient(i, df, value);
    velocity = momentum * velocity + g;
    return value - learning_rate * (nesterov ? g + momentum * velocity : velocity);
  }
};

// Adam (Kingma & Ba 2015, algorithm 1). The bias corrections do not depend on the element. The constructor
// computes them in double and folds them into step_size and root_scale.
struct AdamUpdate {
  DecayedGradient gradient;
  real beta1, beta2, rest1, rest2;  // rest = 1 - beta
  real step_size;                   // learning_rate / (1 - beta1^update)
  real root_scale;                  // 1 / sqrt(1 - beta2^update)
  real epsilon;

  explicit AdamUpdate(const AdamStep& step)
      : gradient(step),
        beta1(static_cast<real>(step.beta1)),
        beta2(static_cast<real>(step.beta2)),
        rest1(static_cast<real>(1 - step.beta1)),
        rest2(static_cast<real>(1 - step.beta2)),
        step_size(static_cast<real>(step.learning_rate / correction(step.beta1, step.update))),
        root_scale(static_cast<real>(1 / std::sqrt(correction(step.beta2, step.update)))),
        epsilon(static_cast<real>(step.epsilon)) {}
  HD real operator()(int64_t i, real df, real value, real& first, real& second) const {
    const real g = gradient(i, df, value);
    first = beta1 * first + rest1 * g;
    second = beta2 * second + rest2 * (g * g);
    return value - step_size * first / (std::sqrt(second) * root_scale + epsilon);
  }

 private:
  static double correction(double beta, int64_t update) {
    return 1 - std::pow(beta, static_cast<double>(update));
  }
};

}  // namespace crescendo
