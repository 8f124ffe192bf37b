// A wide ResNet's gradients and running statistics have equal bits for any micro-batch and any number of
// threads. The trainer's promises rest on this.
#include <doctest/doctest.h>

#include "models/model.h"
#include "support/compare.h"
#include "support/tensors.h"
#include "support/tested_device.h"

namespace crescendo::test {
namespace {

constexpr int64_t kBatch = 32, kGhost = 8, kSide = 16;

struct Sums {
  std::vector<real> gradients, statistics, losses;
};

// Runs one batch through a new model, `micro_batch` images at a time; the last micro-batch may be smaller.
Sums run(const std::string& name, int64_t micro_batch, int threads) {
  const Device device = tested_device(threads);
  const auto model = make_model(name);
  ParameterStore& store = model->parameters;
  store.allocate(device);
  store.initialise(1);
  const Tensor images = random_activations(device, {kBatch, kSide, kSide, 3}, 1);
  Sums sums;
  for (int64_t first = 0; first < kBatch; first += micro_batch) {
    const int64_t n = std::min(micro_batch, kBatch - first);
    std::vector<int32_t> labels;
    for (int64_t i = first; i < first + n; ++i) labels.push_back(static_cast<int32_t>(i * 7 % 10));
    const Tensor part = images.view(first * kSide * kSide * 3, {n, kSide, kSide, 3}, Element::activation);
    Tape tape = Tape::training({.ghost = kGhost});
    const Tensor losses =
        softmax_cross_entropy(tape, model->forward(tape, part), make_indices(device, labels)).losses;
    tape.backward(losses, 1);
    for (const real loss : losses.to_host()) sums.losses.push_back(loss);
  }
  store.require_gradients();
  sums.gradients = store.gradients().to_host();
  sums.statistics = store.statistic_values().to_host();
  return sums;
}

void check_same(const Sums& a, const Sums& b) {
  check_same_bits(a.losses, b.losses);
  check_same_bits(a.gradients, b.gradients);
  check_same_bits(a.statistics, b.statistics);
}

}  // namespace

TEST_CASE("exactness: micro-batches and threads change no bit") {
  for (const std::string name : {"wrn-10-1", "wrn-16-1", "wrn-10-2"}) {
    const Sums expected = run(name, kBatch, 1);
    CHECK(*std::max_element(expected.gradients.begin(), expected.gradients.end()) > 0);
    for (const int64_t micro_batch : {8, 16, 24, 32})
      for (const int threads : {1, 2, 3, 8}) {
        // For the larger models: all thread counts with one micro-batch,
        // all micro-batches with two thread counts.
        if (name != "wrn-10-1" && micro_batch != 24 && threads != 3) continue;
        CAPTURE(name);
        CAPTURE(micro_batch);
        CAPTURE(threads);
        check_same(run(name, micro_batch, threads), expected);
      }
  }
}

TEST_CASE("exactness: the same run twice gives the same bits") {
  check_same(run("wrn-16-1", 16, 2), run("wrn-16-1", 16, 2));
}

TEST_CASE("exactness: another ghost batch would show") {
  // Shows that the comparisons above can fail: ghosts of 8 differ from one ghost of 32.
  const Device device = tested_device(1);
  const auto model = make_model("wrn-10-1");
  model->parameters.allocate(device);
  model->parameters.initialise(1);
  const Tensor images = random_activations(device, {kBatch, kSide, kSide, 3}, 1);
  const auto logits = [&](int64_t ghost) {
    Tape tape = Tape::training({.ghost = ghost});
    return model->forward(tape, images).to_host();
  };
  CHECK(logits(kGhost) != logits(kBatch));
}

}  // namespace crescendo::test
