// Compares three training steps of a small network on a device with the same steps on the CPU.
#pragma once

#include <doctest/doctest.h>

#include <cmath>

#include "models/model.h"
#include "support/tensors.h"

namespace crescendo::test {

constexpr int64_t kUpdates = 3;

struct Trained {
  std::vector<double> losses;    // mean loss of each update
  std::vector<real> gradients;   // of the first update
  std::vector<real> statistics;  // after the last update
};

inline Trained train_steps(const Device& device) {
  constexpr int64_t kBatch = 16, kGhost = 8, kSide = 16;
  const auto model = make_model("wrn-10-1");
  ParameterStore& store = model->parameters;
  store.allocate(device);
  store.initialise(1);
  const Tensor velocity = Tensor::reals(device, {store.size()});
  device.run(Fill{.n = store.size(), .value = 0, .to = velocity.as_reals()});
  const Tensor images = random_activations(device, {kBatch, kSide, kSide, 3}, 1);
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < kBatch; ++i) labels.push_back(static_cast<int32_t>(i * 7 % 10));
  Trained trained;
  for (int64_t update = 0; update < kUpdates; ++update) {
    store.forget_gradients();
    Tape tape = Tape::training({.ghost = kGhost});
    const Tensor logits = model->forward(tape, images);
    const Tensor losses = softmax_cross_entropy(tape, logits, make_indices(device, labels)).losses;
    tape.backward(losses, 1);
    double loss = 0;
    for (const real value : losses.to_host()) loss += static_cast<double>(value) / kBatch;
    trained.losses.push_back(loss);
    if (update == 0) trained.gradients = store.gradients().to_host();
    const MomentumStep step{{.n = store.size(),
                             .decayed = store.size(),
                             .learning_rate = 0.1,
                             .weight_decay = 5e-4,
                             .gradient_scale = 1.0 / kBatch},
                            0.9,
                            true};
    device.run(Momentum{.step = step,
                        .gradients = store.gradients().as_reals(),
                        .values = store.values().as_reals(),
                        .velocity = velocity.as_reals(),
                        .copy = store.weight_copy()});
  }
  trained.statistics = store.statistic_values().to_host();
  return trained;
}

inline double norm_of(const std::vector<real>& values) {
  double squares = 0;
  for (const real value : values) squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares);
}

inline double relative_error(std::vector<real> actual, const std::vector<real>& expected) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) actual[i] -= expected[i];
  return norm_of(actual) / norm_of(expected);
}

// Checks that the device trains as the CPU does, up to the relative `rounding` of one activation. Rounding
// changes the sign of a ReLU's input with about that probability. A sum of terms of either sign then changes
// by the root of the share of changed terms, once in each layer.
inline void check_training(const Device& device, double rounding) {
  const Trained expected = train_steps(Device::cpu(1, ConvolutionAlgorithm::direct)),
                actual = train_steps(device);
  constexpr double kLayers = 10;
  const double gradient = std::sqrt(kLayers * rounding);
  CHECK(std::abs(actual.losses[0] - expected.losses[0]) <= kLayers * rounding * expected.losses[0]);
  CHECK(relative_error(actual.gradients, expected.gradients) <= gradient);
  for (size_t update = 1; update < kUpdates; ++update)
    CHECK(std::abs(actual.losses[update] - expected.losses[update]) <= gradient * expected.losses[update]);
  CHECK(relative_error(actual.statistics, expected.statistics) <= gradient);
}

}  // namespace crescendo::test
