// An auxiliary head's loss is part of the gradient, with its weight, and of nothing else, on any number of workers.
#include <doctest/doctest.h>

#include "engine/layers.h"
#include "support/compare.h"
#include "support/tensors.h"
#include "support/thread_communicator.h"
#include "trainer/step/gradient_sum.h"
#include "trainer/step/micro_batches.h"
#include "trainer/workers/share.h"

namespace crescendo::test {
namespace {

constexpr int64_t kClasses = 3, kGhost = 4;
constexpr ImageSize kImage{2, 2, 3};

// Two heads on the averages of an image's channels, some of which are dropped.
class TwoHeads final : public Model {
 public:
  explicit TwoHeads(double weight, double keep = 1)
      : main_(Scope(parameters)["fc"], kImage.channels, kClasses),
        auxiliary_(Scope(parameters)[kAuxiliaryHead], kImage.channels, kClasses) {
    options = {.classes = kClasses, .auxiliary_weight = weight, .dropout_keep = keep};
  }
  Tensor forward(Tape& tape, const Tensor& images) const override {
    return main_(tape, dropout(tape, global_average_pool(tape, images), options.dropout_keep, 0));
  }
  ModelOutputs outputs(Tape& tape, const Tensor& images) const override {
    return {forward(tape, images), auxiliary_(tape, global_average_pool(tape, images))};
  }

 private:
  Linear main_, auxiliary_;
};

class RandomBatches final : public Batches {
 public:
  void prepare(const SampleRange& range, const DeviceBatch& batch) override {
    set(batch.images, noise(batch.images.size(), static_cast<uint32_t>(range.first)));
    std::vector<int32_t> labels;
    for (int64_t i = 0; i < range.count; ++i) labels.push_back(static_cast<int32_t>(i % kClasses));
    batch.labels.upload(labels);
  }
  void write(const StepCounters*, const DeviceBatch&) override {}
};

struct Step {
  std::vector<real> main, auxiliary;  // gradients
  double loss = 0;
};

// An update of two micro-batches. Both heads have the same weights.
Step step(double weight) {
  const Device device = Device::cpu(1);
  TwoHeads model(weight);
  ParameterStore& store = model.parameters;
  store.allocate(device);
  store.initialise(1);
  const auto& list = store.parameters();
  const int64_t size = list[0]->shape.elements();
  store.upload(store.values(), list[2]->offset, store.download(store.values(), list[0]->offset, size));
  store.refresh_weight_copy();
  TrainOptions options;
  options.ghost_batch = kGhost;
  options.exact_sum = false;  // half a gradient may be no whole number of units
  Solo solo;
  GradientSum gradients(
      options, kGhost, model, kImage, device, [] { return std::make_unique<RandomBatches>(); }, solo);
  gradients.start({});
  gradients.begin({0, 2 * kGhost}, {0, 2 * kGhost});
  gradients.add({0, kGhost});
  gradients.add({kGhost, kGhost});
  const Tensor& sum = gradients.finish();
  return {store.download(sum, list[0]->offset, size), store.download(sum, list[2]->offset, size),
          gradients.read().loss};
}

}  // namespace

TEST_CASE("auxiliary loss: enters the gradient with its weight") {
  const Step half = step(0.5), full = step(1);
  check_same_bits(full.auxiliary, full.main);  // the same head
  std::vector<real> halved = full.main;
  for (real& value : halved) value /= 2;
  check_same_bits(half.auxiliary, halved);
  check_same_bits(half.main, full.main);
  CHECK(*std::max_element(full.main.begin(), full.main.end()) > 0);
}

TEST_CASE("auxiliary loss: with dropout, any number of workers gives the same bits") {
  constexpr SampleRange kUpdate{3 * kGhost, 7 * kGhost};
  const auto update_on = [&](Communicator& workers) {
    const Device device = Device::cpu(1);
    TwoHeads model(0.4, 0.7);
    model.parameters.allocate(device);
    model.parameters.initialise(1);
    TrainOptions options;
    options.ghost_batch = kGhost;
    GradientSum gradients(
        options, kGhost, model, kImage, device, [] { return std::make_unique<RandomBatches>(); }, workers);
    gradients.connect();
    gradients.start({});
    const SampleRange share = share_of(kUpdate, kGhost, workers);
    gradients.begin(kUpdate, share);
    MicroBatches micro_batches(share, kGhost);
    while (const auto range = micro_batches()) gradients.add(*range);
    const Tensor& sum = gradients.finish();
    return std::pair(sum.to_host(), gradients.read().loss);
  };
  Solo solo;
  const auto alone = update_on(solo);
  for (const int workers : {2, 3, 9})
    run_workers(workers, [&](Communicator& communicator) { CHECK(update_on(communicator) == alone); });
}

TEST_CASE("auxiliary loss: is no part of the loss that is reported") {
  CHECK(step(0.5).loss == step(1).loss);
}

}  // namespace crescendo::test
