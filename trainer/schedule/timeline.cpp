// A run's updates in order. Positions stay below 2^60 (validate), so first + end() cannot overflow.
#include "trainer/schedule/schedule.h"

namespace crescendo {

Timeline::Timeline(const ScheduleOptions& options)
    : schedule_(make_schedule(options)),
      train_images_(options.train_images),
      end_(samples_in(options.epochs, options)),
      drop_(options.epoch_edge == EpochEdge::drop) {}

std::optional<Update> Timeline::next(SamplesSeen seen) const {
  Update update{seen, schedule_->at(seen)};
  if (drop_ && seen % train_images_ + update.setting.batch > train_images_) {
    update.first = (seen / train_images_ + 1) * train_images_;
    update.setting = schedule_->at(update.first);
  }
  if (update.first + update.end() > 2 * end_) return std::nullopt;
  return update;
}

}  // namespace crescendo
