#include "trainer/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "data/dataset.h"
#include "trainer/schedule/timeline.h"

namespace crescendo {

namespace {

// Gathers the updates of a run into segments.
class Gatherer {
 public:
  explicit Gatherer(const ScheduleOptions& options) : options_(options) {}

  std::vector<PlanSegment> segments() {
    Timeline timeline(options_);
    SamplesSeen seen = 0;
    while (const std::optional<Update> update = timeline.next(seen, {})) {
      if (begins_segment(*update)) begin(*update);
      extend(update->setting);
      seen = update->end();
    }
    if (!segments_.empty()) end_last_at(options_.epochs);
    return segments_;
  }

 private:
  bool smooth() const {
    return options_.base == BaseSchedule::cosine || options_.base == BaseSchedule::linear;
  }

  bool warming(const Update& update) const {
    return update.end() < samples_in(options_.warmup_epochs, options_);
  }

  bool begins_segment(const Update& update) const {
    if (segments_.empty() || warming(update) != warming_) return true;
    const PlanSegment& last = segments_.back();
    const bool same_rate = smooth() || warming_ || update.setting.learning_rate == last.learning_rate;
    return update.setting.batch != last.batch || !same_rate;
  }

  // Returns the epoch at which a segment begins: for a step schedule the last milestone before the update's
  // middle, otherwise the beginning of the update.
  double first_epoch(const Update& update) const {
    const double images = static_cast<double>(options_.train_images);
    if (smooth()) return static_cast<double>(update.first) / images;
    double epoch = warming(update) ? 0 : options_.warmup_epochs;
    if (options_.base == BaseSchedule::constant) return epoch;
    for (const double milestone : options_.milestones) {
      if (update.first + update.end() >= 2 * samples_in(milestone, options_)) epoch = milestone;
    }
    return epoch;
  }

  void begin(const Update& update) {
    const double epoch = first_epoch(update);
    if (!segments_.empty()) end_last_at(epoch);
    warming_ = warming(update);
    const Setting& setting = update.setting;
    const double noise = noise_scale(setting, options_.train_images);
    segments_.push_back({.first_epoch = epoch,
                         .epochs = 0,
                         .batch = setting.batch,
                         .learning_rate = setting.learning_rate,
                         .last_learning_rate = setting.learning_rate,
                         .momentum = setting.momentum,
                         .noise_scale = noise,
                         .last_noise_scale = noise,
                         .updates = 0});
  }

  void extend(const Setting& setting) {
    PlanSegment& segment = segments_.back();
    ++segment.updates;
    segment.last_learning_rate = setting.learning_rate;
    segment.last_noise_scale = noise_scale(setting, options_.train_images);
  }

  void end_last_at(double epoch) { segments_.back().epochs = epoch - segments_.back().first_epoch; }

  ScheduleOptions options_;
  std::vector<PlanSegment> segments_;
  bool warming_ = false;
};

int64_t count_updates(const std::vector<PlanSegment>& segments) {
  int64_t updates = 0;
  for (const PlanSegment& segment : segments) updates += segment.updates;
  return updates;
}

void warn_of_empty_segments(const ScheduleOptions& options, Plan& plan) {
  if (plan.updates == 0)
    plan.warnings.push_back(fmt::format(
        "no update: more than half of the first batch of {} lies beyond the run's end", options.batch));
  if (options.base != BaseSchedule::step || plan.updates == 0) return;
  if (const double begin = plan.segments.front().first_epoch; begin > 0)
    plan.warnings.push_back(
        fmt::format("no update before epoch {}: less than half of a batch fits there", begin));
  for (size_t i = 0; i < options.milestones.size(); ++i) {
    const double begin = options.milestones[i];
    const double end = i + 1 < options.milestones.size() ? options.milestones[i + 1] : options.epochs;
    const auto begins_there = [&](const PlanSegment& segment) { return segment.first_epoch == begin; };
    if (std::none_of(plan.segments.begin(), plan.segments.end(), begins_there))
      plan.warnings.push_back(fmt::format(
          "no update between epochs {} and {}: less than half of a batch fits there", begin, end));
  }
}

void warn_of_large_batches(Plan& plan) {
  const auto larger = [](const PlanSegment& a, const PlanSegment& b) { return a.batch < b.batch; };
  const auto largest = std::max_element(plan.segments.begin(), plan.segments.end(), larger);
  if (largest == plan.segments.end() || largest->batch <= plan.train_images / 10) return;
  plan.warnings.push_back(
      fmt::format("batch {} is more than a tenth of the {} training images: growing the batch is known to "
                  "work below that (--max-batch)",
                  largest->batch, plan.train_images));
}

void warn_of_idle_options(const ScheduleOptions& options, Plan& plan) {
  if (options.base != BaseSchedule::step && !options.milestones.empty())
    plan.warnings.emplace_back("milestones are given, but only --schedule step uses them");
  if (options.exchange == Exchange::none && options.max_batch > 0)
    plan.warnings.emplace_back("max-batch is given, but without --exchange the batch does not grow");
  const auto grown = [&](const PlanSegment& segment) { return segment.batch != options.batch; };
  if (options.exchange != Exchange::none && std::none_of(plan.segments.begin(), plan.segments.end(), grown))
    plan.warnings.emplace_back("an exchange is given, but the batch never grows");
}

}  // namespace

Plan make_plan(const TrainOptions& options) {
  validate(options);
  const int64_t images =
      options.train_images > 0 ? options.train_images : dataset_traits(dataset_options(options)).train_images;
  ScheduleOptions schedule = schedule_options(options, images);
  Plan plan;
  plan.train_images = images;
  plan.ghost_batch = options.ghost_batch;
  plan.epochs = options.epochs;
  plan.segments = Gatherer(schedule).segments();
  plan.updates = count_updates(plan.segments);
  warn_of_large_batches(plan);
  warn_of_empty_segments(schedule, plan);
  warn_of_idle_options(schedule, plan);
  constexpr double kLeastEpsilon = 1e-11;  // docs/derivations/exact_sums.md
  if (options.exact_sum && options.optimizer == OptimizerKind::adam && options.epsilon < kLeastEpsilon)
    plan.warnings.push_back(fmt::format(
        "epsilon {} is not much more than the rounding of exact sums; {} or more, or --gradient-sum float",
        options.epsilon, kLeastEpsilon));
  plan.decaying_batch = options.batch;
  plan.decaying_updates = plan.updates;
  if (options.exchange != Exchange::none) {
    schedule.exchange = Exchange::none;
    plan.decaying_updates = count_updates(Gatherer(schedule).segments());
  }
  return plan;
}

}  // namespace crescendo
