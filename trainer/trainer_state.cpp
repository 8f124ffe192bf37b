// The state of a Trainer in a checkpoint besides weights and optimizer state: a few numbers, exact to the bit.
#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "trainer/options/option_table.h"
#include "trainer/trainer.h"
#include "trainer/workers/replicas.h"
#include "trainer/workers/together.h"

namespace crescendo {
namespace {

std::string exact(double value) { return fmt::format("{:a}", value); }

double number(const CheckpointInfo& info, const std::string& name) {
  const auto found = info.extra.find(name);
  return found == info.extra.end() ? 0 : std::strtod(found->second.c_str(), nullptr);
}

int64_t whole_number(const CheckpointInfo& info, const std::string& name) {
  const auto found = info.extra.find(name);
  return found == info.extra.end() ? 0 : std::strtoll(found->second.c_str(), nullptr, 10);
}

constexpr const char *kTrainData = "training data", *kTestData = "test data";

}  // namespace

void Trainer::compare_data(const CheckpointInfo& info, const std::string& checkpoint) {
  const auto saved = [&](const char* name, const std::string& now) {
    const auto found = info.extra.find(name);  // none in checkpoints of earlier versions
    return found == info.extra.end() ? now : found->second;
  };
  const std::string trained = saved(kTrainData, train_contents_), tested = saved(kTestData, test_contents_);
  require(trained == train_contents_, "--resume: ", checkpoint, " was trained on ", trained, ", found ",
          train_contents_);
  if (tested != test_contents_)
    progress_.warn(fmt::format("warning: {} was tested on {}, from now on it is {}", checkpoint, tested,
                               test_contents_));
}

// Gives all workers what rank 0 has loaded.
void Trainer::share_state() {
  if (workers_.size() == 1) return;
  gradients_.start(resumed_);
  const TrainingState mine = state();
  const nlohmann::json text = {mine.info.counters.samples_seen, mine.info.counters.updates,
                               exact(mine.info.counters.seconds), mine.info.extra};
  const auto shared = nlohmann::json::parse(broadcast_text(workers_, text.dump()));
  CheckpointInfo info;
  counters_ = {.samples_seen = shared[0].get<int64_t>(),
               .updates = shared[1].get<int64_t>(),
               .seconds = std::strtod(shared[2].get<std::string>().c_str(), nullptr)};
  info.extra = shared[3].get<std::map<std::string, std::string>>();
  if (!is_first()) restore_extra(info);
  broadcast_parameters(workers_, model_->parameters);
  for (const OptimizerBuffer& buffer : mine.optimizer) broadcast_tensor(workers_, buffer.values);
}

TrainingState Trainer::state() {
  TrainingState state{.info = {}, .parameters = model_->parameters, .optimizer = optimizer_.buffers()};
  state.info.model = options_.model;
  state.info.class_names = train_data_.dataset().class_names();
  state.info.config = config_text(options_);
  state.info.counters = counters_;
  if (const NoiseMeasurement* noise = gradients_.noise())
    state.optimizer.push_back({"noise_scale_pair", noise->pair()});
  save_extra(state.info);
  return state;
}

void Trainer::save_extra(CheckpointInfo& info) const {
  const SampleSums& window = gradients_.sums();
  info.extra = {{"window loss", exact(window.loss)},
                {"window correct", std::to_string(window.correct)},
                {"window samples", std::to_string(window.samples)},
                {"window seconds", exact(window_seconds_)},
                {"evaluated at", std::to_string(evaluated_at_)},
                {kTrainData, train_contents_},
                {kTestData, test_contents_}};
  const NoiseMeasurement* noise = gradients_.noise();
  if (noise == nullptr) return;
  const NoiseScale::State& scale = noise->scale().state();
  info.extra["noise covariance"] = exact(scale.covariance);
  info.extra["noise squared gradient"] = exact(scale.squared_gradient);
  info.extra["noise observations"] = std::to_string(scale.observations);
  info.extra["noise pair waiting"] = std::to_string(noise->pair_waiting() ? 1 : 0);
}

void Trainer::restore_extra(const CheckpointInfo& info) {
  resumed_ = {.loss = number(info, "window loss"),
              .correct = whole_number(info, "window correct"),
              .samples = whole_number(info, "window samples")};
  window_seconds_ = number(info, "window seconds");
  evaluated_at_ = whole_number(info, "evaluated at");
  if (NoiseMeasurement* noise = gradients_.noise())
    noise->restore({.covariance = number(info, "noise covariance"),
                    .squared_gradient = number(info, "noise squared gradient"),
                    .observations = whole_number(info, "noise observations")},
                   whole_number(info, "noise pair waiting") != 0);
}

}  // namespace crescendo
