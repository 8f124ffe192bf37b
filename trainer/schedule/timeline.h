// The updates of a run, one after another: which samples each takes, and with which setting.
#pragma once

#include <memory>
#include <optional>
#include <set>

#include "trainer/schedule/batch_policy.h"
#include "trainer/schedule/schedule.h"

namespace crescendo {

// One update: samples [first, end()).
struct Update {
  SamplesSeen first = 0;
  Setting setting;
  SamplesSeen end() const { return first + setting.batch; }
};

// Asks a policy for each update in turn and places it in the run. At least half of the last update lies
// inside the run.
class Timeline {
 public:
  // The policy is the schedule of these options. Throws as make_schedule() does.
  explicit Timeline(const ScheduleOptions&);
  // The options give only the training set's size, the epochs and what happens at an epoch's edge.
  Timeline(const ScheduleOptions&, std::unique_ptr<BatchPolicy>);

  // Returns the update that begins at `seen`; none when the run is over. If the rest of the epoch is dropped
  // because it is too small for the update, the update begins at the next epoch's first sample. The one after
  // it is next(update.end(), ...).
  std::optional<Update> next(SamplesSeen seen, const Measurement&);

  const BatchPolicy& policy() const { return *policy_; }

 private:
  std::unique_ptr<BatchPolicy> policy_;
  int64_t train_images_;
  SamplesSeen end_;
  bool drop_;
};

// Returns every batch, in images, that an update of the run may have by its policy's bounds.
std::set<int64_t> possible_batches(Timeline timeline, int64_t ghost_batch);

}  // namespace crescendo
