// A run's updates in order. Positions stay below 2^60 (validate), so first + end() cannot overflow.
#include "trainer/schedule/timeline.h"

#include <utility>

namespace crescendo {

Timeline::Timeline(const ScheduleOptions& options) : Timeline(options, make_schedule(options)) {}

Timeline::Timeline(const ScheduleOptions& options, std::unique_ptr<BatchPolicy> policy)
    : policy_(std::move(policy)),
      train_images_(options.train_images),
      end_(samples_in(options.epochs, options)),
      drop_(options.epoch_edge == EpochEdge::drop) {}

std::optional<Update> Timeline::next(SamplesSeen seen, const Measurement& measurement) {
  Update update{seen, policy_->next(seen, measurement)};
  if (drop_ && seen % train_images_ + update.setting.batch > train_images_) {
    update.first = (seen / train_images_ + 1) * train_images_;
    update.setting = policy_->next(update.first, measurement);
  }
  if (update.first + update.end() > 2 * end_) return std::nullopt;
  return update;
}

std::set<int64_t> possible_batches(Timeline timeline, int64_t ghost_batch) {
  std::set<int64_t> batches;
  // A run without measurements has the most updates, so it asks for the bounds at the most positions.
  for (auto update = timeline.next(0, {}); update; update = timeline.next(update->end(), {})) {
    const BatchBounds bounds = timeline.policy().bounds(update->first);
    for (int64_t batch = bounds.smallest; batch <= bounds.largest; batch += ghost_batch)
      batches.insert(batch);
  }
  return batches;
}

}  // namespace crescendo
