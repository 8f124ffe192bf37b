// The base schedules, and one formula for the exchange of decay for growth in all of them.
#include "trainer/schedule/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace crescendo {

namespace {

// Turns a decay r = eps(s) / eps0 in (0, 1] into a learning rate and a batch.
class ExchangeFormula {
 public:
  explicit ExchangeFormula(const ScheduleOptions& options)
      : options_(options), maximum_(largest_batch(options)) {}

  // `growth` is 1 / r; `nearest` rounds the batch to the nearest whole ghost batch, otherwise down.
  Setting setting(double growth, bool nearest) const {
    const double wanted = static_cast<double>(options_.batch) * growth;
    const int64_t batch =
        options_.exchange == Exchange::none ? options_.batch : whole_ghosts(wanted, nearest);
    // eps0 * r * rule(B / B0), where r * B / B0 = B / wanted is exactly 1 if nothing is rounded or clipped.
    const double rate = options_.learning_rate / (wanted / static_cast<double>(batch));
    const double grown = static_cast<double>(batch) / static_cast<double>(options_.batch);
    return {.learning_rate = options_.rule == ExchangeRule::linear ? rate : rate / std::sqrt(grown),
            .momentum = options_.momentum,
            .weight_decay = options_.weight_decay,
            .batch = batch};
  }

 private:
  // Returns the largest batch of the exchange: whole ghost batches, and at least the first batch.
  static int64_t largest_batch(const ScheduleOptions& options) {
    const int64_t whole_set = options.train_images / options.ghost_batch * options.ghost_batch;
    double maximum = static_cast<double>(options.max_batch > 0 ? options.max_batch : whole_set);
    if (options.exchange == Exchange::hybrid)
      maximum = std::min(maximum, static_cast<double>(options.batch) * options.factor);
    const auto ghosts =
        static_cast<int64_t>(std::llround(maximum / static_cast<double>(options.ghost_batch)));
    return std::max(ghosts * options.ghost_batch, options.batch);
  }

  int64_t whole_ghosts(double wanted, bool nearest) const {
    if (wanted >= static_cast<double>(maximum_)) return maximum_;
    const double ghosts = wanted / static_cast<double>(options_.ghost_batch);
    const auto whole = static_cast<int64_t>(nearest ? std::round(ghosts) : std::floor(ghosts));
    return std::clamp(whole * options_.ghost_batch, options_.batch, maximum_);
  }

  ScheduleOptions options_;
  int64_t maximum_;
};

// step and constant: the learning rate falls by `factor` at each milestone.
class StepSchedule final : public Schedule {
 public:
  explicit StepSchedule(const ScheduleOptions& options) {
    const ExchangeFormula exchange(options);
    double growth = 1;
    settings_.push_back(exchange.setting(growth, true));
    if (options.base == BaseSchedule::constant) return;
    for (const double milestone : options.milestones) {
      edges_.push_back(samples_in(milestone, options));
      growth *= options.factor;
      settings_.push_back(exchange.setting(growth, true));
    }
  }

  Setting at(SamplesSeen seen) const override {
    size_t segment = 0;
    while (segment < edges_.size() && 2 * seen + settings_[segment].batch >= 2 * edges_[segment]) ++segment;
    return settings_[segment];
  }

 private:
  std::vector<SamplesSeen> edges_;  // the end of each segment but the last
  std::vector<Setting> settings_;   // one per segment
};

// cosine and linear: the decay starts at the end of the warm-up and reaches 0 at the end of the run.
class SmoothSchedule final : public Schedule {
 public:
  explicit SmoothSchedule(const ScheduleOptions& options)
      : exchange_(options),
        base_(options.base),
        begin_(samples_in(options.warmup_epochs, options)),
        end_(samples_in(options.epochs, options)) {}

  Setting at(SamplesSeen seen) const override {
    const double progress = static_cast<double>(std::max<SamplesSeen>(seen - begin_, 0)) /
                            static_cast<double>(std::max<SamplesSeen>(end_ - begin_, 1));
    const double decay =
        base_ == BaseSchedule::linear ? 1 - progress : (1 + std::cos(std::numbers::pi * progress)) / 2;
    // No update begins at the very end, but the formula must not divide by 0 there either.
    return exchange_.setting(1 / std::max(decay, 1e-18), false);
  }

 private:
  ExchangeFormula exchange_;
  BaseSchedule base_;
  SamplesSeen begin_, end_;
};

// Linear warm-up to a schedule's first learning rate, update by update (Goyal et al. 2017, section 2.2).
class WarmUp final : public Schedule {
 public:
  WarmUp(const ScheduleOptions& options, std::unique_ptr<Schedule> schedule)
      : schedule_(std::move(schedule)),
        first_{options.learning_rate, options.momentum, options.weight_decay, options.batch},
        samples_(samples_in(options.warmup_epochs, options)) {}

  Setting at(SamplesSeen seen) const override {
    const SamplesSeen after = seen + first_.batch;
    if (after >= samples_) return schedule_->at(seen);
    Setting setting = first_;
    setting.learning_rate *= static_cast<double>(after) / static_cast<double>(samples_);
    return setting;
  }

 private:
  std::unique_ptr<Schedule> schedule_;
  Setting first_;
  SamplesSeen samples_;
};

}  // namespace

SamplesSeen samples_in(double epochs, const ScheduleOptions& options) {
  return std::llround(epochs * static_cast<double>(options.train_images));
}

std::unique_ptr<Schedule> make_schedule(const ScheduleOptions& options) {
  require(options.train_images > 0, "train-images: found ", options.train_images, ", expected 1 or more");
  validate(options);
  std::unique_ptr<Schedule> schedule;
  if (options.base == BaseSchedule::cosine || options.base == BaseSchedule::linear)
    schedule = std::make_unique<SmoothSchedule>(options);
  else
    schedule = std::make_unique<StepSchedule>(options);
  if (options.warmup_epochs > 0) schedule = std::make_unique<WarmUp>(options, std::move(schedule));
  return schedule;
}

}  // namespace crescendo
