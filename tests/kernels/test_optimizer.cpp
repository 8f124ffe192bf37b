// Several updates of each optimizer, compared with its formulas in double.
#include "cases/images.h"
#include "support/compare.h"
#include "support/tested_backend.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

constexpr int kUpdates = 3;

// The update of one parameter by each optimizer. The state begins at zero.
struct SgdFormula {
  double operator()(const OptimizerStep& step, double g, double value, double&, double&) const {
    return value - step.learning_rate * g;
  }
};
struct MomentumFormula {
  double operator()(const MomentumStep& step, double g, double value, double& velocity, double&) const {
    velocity = step.momentum * velocity + g;
    return value - step.learning_rate * (step.nesterov ? g + step.momentum * velocity : velocity);
  }
};
struct AdamFormula {
  double operator()(const AdamStep& step, double g, double value, double& first, double& second) const {
    const auto t = static_cast<double>(step.update);
    first = step.beta1 * first + (1 - step.beta1) * g;
    second = step.beta2 * second + (1 - step.beta2) * g * g;
    const double m = first / (1 - std::pow(step.beta1, t)), v = second / (1 - std::pow(step.beta2, t));
    return value - step.learning_rate * m / (std::sqrt(v) + step.epsilon);
  }
};

// Compares kUpdates updates by the calls
// make_call(step, gradients, values, first, second) with the formula's.
template <class Step, class Formula, class MakeCall>
void check_optimizer(Backend& backend, Step step, const Formula& formula, const MakeCall& make_call) {
  const std::vector<real> start = noise(step.n, 1);
  Buffer<real> values(backend, start), first(backend, std::vector<real>(start.size(), 0)),
      second(backend, std::vector<real>(start.size(), 0));
  std::vector<double> expected(start.begin(), start.end()), m(start.size()), v(start.size());
  for (uint32_t update = 1; update <= kUpdates; ++update) {
    if constexpr (std::is_same_v<Step, AdamStep>) step.update = update;
    const std::vector<real> gradients = noise(step.n, 10 + update);
    for (size_t i = 0; i < expected.size(); ++i) {
      const double decay = static_cast<int64_t>(i) < step.decayed ? step.weight_decay : 0;
      const double g = step.gradient_scale * static_cast<double>(gradients[i]) + decay * expected[i];
      expected[i] = formula(step, g, expected[i], m[i], v[i]);
    }
    const Buffer<real> gradient_buffer(backend, gradients);
    run(backend, make_call(step, gradient_buffer, values, first, second));
  }
  check_close(values.values(), expected, sum_tolerance(kUpdates, 4));
}

OptimizerStep step_of(int64_t n) {
  return {.n = n, .decayed = n / 2, .learning_rate = 0.1, .weight_decay = 0.05, .gradient_scale = 0.25};
}

}  // namespace

TEST_CASE("sgd") {
  const auto backend = tested_backend(2);
  for (const int64_t n : lengths())
    check_optimizer(*backend, step_of(n), SgdFormula(),
                    [](const OptimizerStep& step, const real* gradients, real* values, real*, real*) {
                      return Sgd{.step = step, .gradients = gradients, .values = values, .copy = nullptr};
                    });
}

TEST_CASE("momentum and Nesterov") {
  const auto backend = tested_backend(2);
  for (const int64_t n : lengths())
    for (const bool nesterov : {false, true})
      check_optimizer(
          *backend, MomentumStep{step_of(n), 0.9, nesterov}, MomentumFormula(),
          [](const MomentumStep& step, const real* gradients, real* values, real* velocity, real*) {
            return Momentum{.step = step,
                            .gradients = gradients,
                            .values = values,
                            .velocity = velocity,
                            .copy = nullptr};
          });
}

TEST_CASE("adam") {
  const auto backend = tested_backend(2);
  for (const int64_t n : lengths())
    check_optimizer(*backend, AdamStep{step_of(n), 0.9, 0.999, 1e-3, 1}, AdamFormula(),
                    [](const AdamStep& step, const real* gradients, real* values, real* first, real* second) {
                      return Adam{.step = step,
                                  .gradients = gradients,
                                  .values = values,
                                  .first_moment = first,
                                  .second_moment = second,
                                  .copy = nullptr};
                    });
}
