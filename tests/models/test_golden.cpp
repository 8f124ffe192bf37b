// Compares three updates of WRN-16-4 with PyTorch's in double (tests/golden/make_wrn_golden.py): logits,
// losses, all gradients of the first update, all weights and running statistics after the third.
#include <doctest/doctest.h>

#include <limits>

#include "golden/golden_checks.h"
#include "models/model.h"
#include "support/tested_device.h"

namespace crescendo::test {
namespace {

const double kEpsilon = static_cast<double>(std::numeric_limits<real>::epsilon());

// Tolerance for rounding. The longest sums, in the first layer's weight gradient, have 256 * 32 * 32 terms.
// Errors add up like a random walk, so they grow with the root of the length. The errors of successive layers
// are a factor of 4. The file has 13 digits.
const double kRounding = 4 * kEpsilon * std::sqrt(256.0 * 32 * 32) + 1e-12;

// Gradients have a second error. If rounding moves a ReLU's input across zero, a whole term changes. The
// share of such inputs is about the inputs' relative error. A sum of terms of both signs changes by the root
// of that share; successive layers double it. The error is zero if the share is less than one input.
double kink_error(double input_error) {
  constexpr double kInputs = 256 * 5e5;
  return input_error * kInputs < 1 ? 0 : 2 * std::sqrt(input_error);
}

// Tolerance of the first update's gradients, relative to their norm. Inputs are sums of up to 9 x 256
// products. (PyTorch's results in float differ from its results in double by half of this.)
const double kGradient = kRounding + kink_error(kEpsilon * std::sqrt(9.0 * 256));

// Tolerance of the weights' change over three updates, relative to its norm. All layers but the last change
// by up to 0.02 of their norm. So the error of one update moves more inputs of the next update across zero
// than rounding does.
double movement_error() {
  constexpr double kMovement = 0.02;
  double gradient = kGradient, sum = 0;
  for (int update = 0; update < 3; ++update) {
    sum += gradient;
    gradient = kRounding + kink_error(gradient * kMovement);
  }
  return sum;
}

class GoldenRun {
 public:
  GoldenRun() : golden_(read_golden("wrn_16_4.json")), model_(make_model("wrn-16-4")) {
    ParameterStore& store = model_->parameters;
    store.allocate(device_);
    store.initialise(1);
    set_golden_values(store);
    velocity_ = Tensor::reals(device_, {store.size()});
    device_.run(Fill{.n = store.size(), .value = 0, .to = velocity_.as_reals()});
  }

  const json& golden() const { return golden_; }
  size_t updates() const { return golden_["sides"].size(); }

  // Sums gradients and losses over the micro-batches of one update, and keeps the logits.
  void sum_gradients(size_t update) {
    const int64_t side = golden_["sides"][update], batch = golden_["batch"], ghost = golden_["ghost"];
    const auto stream = static_cast<uint32_t>(update);
    const std::vector<float> images = golden_images(stream, batch, side);
    const std::vector<int32_t> labels = golden_labels(stream, batch, 10);
    logits_.clear();
    loss_ = 0;
    model_->parameters.forget_gradients();
    for (int64_t first = 0; first < batch; first += ghost) {
      const int64_t pixels = side * side * 3;
      const Tensor x = Tensor::activations(device_, {ghost, side, side, 3});
      x.upload(std::span(images).subspan(static_cast<size_t>(first * pixels),
                                         static_cast<size_t>(ghost * pixels)));
      const Tensor classes = Tensor::indices(device_, {ghost});
      classes.upload(std::span(labels).subspan(static_cast<size_t>(first), static_cast<size_t>(ghost)));
      Tape tape = Tape::training({.ghost = ghost});
      const Tensor logits = model_->forward(tape, x);
      const Tensor losses = softmax_cross_entropy(tape, logits, classes).losses;
      tape.backward(losses, 1);
      for (const real value : logits.to_host()) logits_.push_back(value);
      for (const real value : losses.to_host())
        loss_ += static_cast<double>(value) / static_cast<double>(batch);
    }
  }

  void update() {
    const ParameterStore& store = model_->parameters;
    const MomentumStep step{{.n = store.size(),
                             .decayed = store.size(),
                             .learning_rate = golden_["learning_rate"],
                             .weight_decay = golden_["weight_decay"],
                             .gradient_scale = 1 / golden_["batch"].get<double>()},
                            golden_["momentum"],
                            true};
    device_.run(Momentum{.step = step,
                         .gradients = store.gradients().as_reals(),
                         .values = store.values().as_reals(),
                         .velocity = velocity_.as_reals(),
                         .copy = store.weight_copy()});
  }

  const std::vector<real>& logits() const { return logits_; }
  double loss() const { return loss_; }
  const ParameterStore& store() const { return model_->parameters; }

 private:
  json golden_;
  Device device_ = tested_device();
  std::unique_ptr<Model> model_;
  Tensor velocity_;
  std::vector<real> logits_;
  double loss_ = 0;
};

// Weights are as exact as the changes that the updates made, and as float allows.
double weight_tolerance(const std::vector<real>& values, const Parameter& parameter, double norm,
                        uint32_t index) {
  std::vector<real> moved = golden_initial_values(parameter, index);
  for (size_t i = 0; i < values.size(); ++i) moved[i] -= values[i];
  return movement_error() * norm_of(moved) + (4 * kEpsilon + 1e-12) * norm;
}

}  // namespace

TEST_CASE("golden: three updates of WRN-16-4 are those of PyTorch") {
  GoldenRun run;
  const json& golden = run.golden();
  const ParameterStore& store = run.store();
  for (size_t update = 0; update < run.updates(); ++update) {
    CAPTURE(update);
    run.sum_gradients(update);
    const double loss = golden["losses"][update];
    CHECK(std::abs(run.loss() - loss) <= kRounding * loss);
    if (update == 0) {
      check_logits(golden["logits"], run.logits(), kRounding);
      const double mean = 1 / golden["batch"].get<double>();
      check_section(golden["gradients"], store.gradients(), store.parameters(), mean,
                    [](const std::vector<real>&, double norm, uint32_t) { return kGradient * norm; });
    }
    run.update();
  }
  check_section(golden["weights"], store.values(), store.parameters(), 1,
                [&](const std::vector<real>& values, double norm, uint32_t index) {
                  return weight_tolerance(values, *store.parameters()[index], norm, index);
                });
  check_section(golden["statistics"], store.statistic_values(), store.statistics(), 1,
                [](const std::vector<real>&, double norm, uint32_t) { return kGradient * norm; });
}

}  // namespace crescendo::test
