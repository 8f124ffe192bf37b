// The sums of an update: exact ones do not depend on the order of ghost batches, come as close to the true
// sum as float allows, and explain what has no place in them.
#include "trainer/step/gradient_sum.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "engine/layers.h"
#include "support/compare.h"
#include "support/tensors.h"

namespace crescendo::test {
namespace {

constexpr int64_t kClasses = 3, kGhost = 4, kGhosts = 6, kChannels = 3;
constexpr double kMomentum = 0.25;
constexpr ImageSize kImage{2, 2, kChannels};

// A linear layer on the averages of an image's normalised channels.
class NormAndLinear final : public Model {
 public:
  NormAndLinear()
      : norm_(Scope(parameters)["bn"], kChannels, {.momentum = kMomentum}),
        linear_(Scope(parameters)["fc"], kChannels, kClasses) {
    options = {.classes = kClasses, .norm_momentum = kMomentum};
    parameters.allocate(Device::cpu(1));
    parameters.initialise(1);
  }
  Tensor forward(Tape& tape, const Tensor& images) const override {
    return linear_(tape, global_average_pool(tape, norm_(tape, images)));
  }

 private:
  BatchNorm norm_;
  Linear linear_;
};

// Images that follow from the position of their micro-batch.
class PositionedBatches final : public Batches {
 public:
  void prepare(const SampleRange& range, const DeviceBatch& batch) override {
    set(batch.images, noise(batch.images.size(), static_cast<uint32_t>(range.first)));
    std::vector<int32_t> labels;
    for (int64_t i = 0; i < range.count; ++i)
      labels.push_back(static_cast<int32_t>((range.first + i) % kClasses));
    batch.labels.upload(labels);
  }
  void write(const StepCounters*, const DeviceBatch&) override {}
};

TrainOptions exact_options(RunningStatistics statistics = RunningStatistics::sequential) {
  TrainOptions options;
  options.ghost_batch = kGhost;
  options.exact_sum = true;
  options.running_statistics = statistics;
  return options;
}

struct Result {
  std::vector<real> gradients, statistics;
  SampleSums sums;
};

// Makes one update of the run's ghost batches [begin, end), in an order.
Result update(const TrainOptions& options, NormAndLinear& model, int64_t begin, int64_t end,
              const std::vector<int64_t>& order) {
  Solo solo;
  GradientSum gradients(
      options, kGhost, model, kImage, Device::cpu(1), [] { return std::make_unique<PositionedBatches>(); },
      solo);
  gradients.start({.loss = 0.5, .correct = 1});
  const SampleRange all{begin * kGhost, (end - begin) * kGhost};
  gradients.begin(all, all);
  for (const int64_t ghost : order) gradients.add({(begin + ghost) * kGhost, kGhost});
  const std::vector<real> sum = gradients.finish().to_host();
  return {sum, model.parameters.statistic_values().to_host(), gradients.read()};
}

}  // namespace

TEST_CASE("exact sums: the order of an update's ghost batches changes no bit") {
  for (const RunningStatistics statistics :
       {RunningStatistics::sequential, RunningStatistics::mean_of_ghosts}) {
    const TrainOptions options = exact_options(statistics);
    std::vector<int64_t> order = {0, 1, 2, 3, 4, 5};
    NormAndLinear model;
    const Result expected = update(options, model, 7, 7 + kGhosts, order);
    for (int turn = 0; turn < 5; ++turn) {
      std::rotate(order.begin(), order.begin() + 1, order.end());
      std::swap(order[1], order[3]);
      NormAndLinear again;
      const Result result = update(options, again, 7, 7 + kGhosts, order);
      check_same_bits(result.gradients, expected.gradients);
      check_same_bits(result.statistics, expected.statistics);
      CHECK(result.sums.loss == expected.sums.loss);
      CHECK(result.sums.correct == expected.sums.correct);
      CHECK(result.sums.samples == kGhosts * kGhost);
    }
  }
}

TEST_CASE(
    "exact sums: as near to the sum in double as float allows; the running statistics to the recurrence") {
  TrainOptions options = exact_options();
  NormAndLinear model;
  const Result whole = update(options, model, 0, kGhosts, {0, 1, 2, 3, 4, 5});
  std::vector<double> sums(whole.gradients.size());
  double loss = 0.5;
  for (int64_t ghost = 0; ghost < kGhosts; ++ghost) {
    NormAndLinear fresh;
    const Result one = update(options, fresh, ghost, ghost + 1, {0});
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<double>(one.gradients[i]);
    loss += one.sums.loss - 0.5;
  }
  // One rounding to real, and half a unit for each ghost batch.
  for (size_t i = 0; i < sums.size(); ++i)
    CHECK(std::abs(static_cast<double>(whole.gradients[i]) - sums[i]) <=
          std::ldexp(std::abs(sums[i]), -24) + kGhosts * gradient_unit(kGhost));
  CHECK(whole.sums.loss == loss);

  NormAndLinear one_by_one;
  for (int64_t ghost = 0; ghost < kGhosts; ++ghost) update(options, one_by_one, ghost, ghost + 1, {0});
  const std::vector<real> recurrence = one_by_one.parameters.statistic_values().to_host();
  // Each of the recurrence's steps rounds to real.
  for (size_t i = 0; i < recurrence.size(); ++i)
    CHECK(std::abs(whole.statistics[i] - recurrence[i]) <=
          std::ldexp(1.0 + std::abs(static_cast<double>(recurrence[i])), -23) * kGhosts);
}

TEST_CASE("losses and hits can be read in the middle of an update") {
  for (const bool exact : {false, true}) {
    TrainOptions options = exact_options();
    options.exact_sum = exact;
    NormAndLinear model;
    Solo solo;
    GradientSum gradients(
        options, kGhost, model, kImage, Device::cpu(1), [] { return std::make_unique<PositionedBatches>(); },
        solo);
    gradients.start({.loss = 0.5, .correct = 1});
    gradients.begin({0, 2 * kGhost}, {0, 2 * kGhost});
    gradients.add({0, kGhost});
    const SampleSums half = gradients.read();
    NormAndLinear same;
    const Result alone = update(exact_options(), same, 0, 1, {0});
    CHECK(half.loss == alone.sums.loss);
    CHECK(half.correct == alone.sums.correct);
    CHECK(half.samples == kGhost);
    gradients.add({kGhost, kGhost});
    gradients.finish();
    const SampleSums whole = gradients.read();
    CHECK(whole.loss > half.loss);
    CHECK(whole.samples == 2 * kGhost);
    CHECK(gradients.read().loss == whole.loss);
  }
}

TEST_CASE("exact sums: a gradient that has no place in its sum is explained, and changes nothing") {
  const TrainOptions options = exact_options();
  NormAndLinear model;
  ParameterStore& store = model.parameters;
  const Parameter& scale = *store.parameters()[0];
  REQUIRE(scale.name == "bn.weight");
  store.upload(store.values(), scale.offset, std::vector<real>(kChannels, real{1e5}));
  const std::vector<real> statistics = store.statistic_values().to_host();
  std::string message;
  try {
    update(options, model, 0, 2, {0, 1});
  } catch (const NonFiniteError& error) {
    message = error.what();
  }
  CHECK_MESSAGE(message.find("the gradient of samples 0 to 3 reaches 1024") == 0, message);
  CHECK_MESSAGE(message.find("fc.weight") != message.npos, message);
  check_same_bits(store.statistic_values().to_host(), statistics);
}

}  // namespace crescendo::test
