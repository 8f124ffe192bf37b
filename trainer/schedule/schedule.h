// Learning rate, momentum, weight decay and batch at each point of a run, and the first sample of each
// update: pure functions of samples seen.
//
// A base schedule gives a learning rate that decays from its initial value, eps(s) = eps0 * r(s). An exchange
// turns the decay into growth of the batch (Smith, Kindermans, Ying, Le, ICLR 2018):
//   B(s)   = min(maximum, B0 / r(s)) in whole ghost batches
//   eps(s) = eps0 * r(s) * rule(B(s) / B0), rule(x) = x (linear, for SGD) or sqrt(x) (for Adam)
// Rounding and the maximum may make the batch smaller. The difference stays in the learning rate, so the
// noise scale eps / (1 - m) * (N / B - 1) follows that of the base schedule.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace crescendo {

using SamplesSeen = int64_t;

// The values that an update is made with.
struct Setting {
  double learning_rate = 0, momentum = 0, weight_decay = 0;
  int64_t batch = 0;
  bool operator==(const Setting&) const = default;
};

// Returns g = eps / (1 - m) * (N / B - 1), the scale of the noise in SGD's updates (Smith et al. 2018, eq. 5
// and 6).
inline double noise_scale(const Setting& setting, int64_t train_images) {
  return setting.learning_rate / (1 - setting.momentum) *
         (static_cast<double>(train_images) / static_cast<double>(setting.batch) - 1);
}

class Schedule {
 public:
  Schedule() = default;
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;
  virtual ~Schedule() = default;
  // Returns the setting of the update that begins after `seen` samples. A step schedule gives the setting of
  // the segment that contains the update's middle.
  virtual Setting at(SamplesSeen seen) const = 0;
};

enum class BaseSchedule { step, cosine, linear, constant };
// hybrid: the batch grows at the first decay; then the learning rate decays
enum class Exchange { none, hybrid, batch };
enum class ExchangeRule { linear, square_root };
// straddle: a batch may reach into the next epoch; drop: an epoch's remainder is dropped
enum class EpochEdge { straddle, drop };

struct ScheduleOptions {
  int64_t train_images = 0;
  double epochs = 0;
  double learning_rate = 0, momentum = 0, weight_decay = 0;
  int64_t batch = 0, ghost_batch = 0;
  BaseSchedule base = BaseSchedule::step;
  std::vector<double> milestones;  // epochs, ascending
  double factor = 5;               // divisor of the learning rate at each milestone
  double warmup_epochs = 0;        // linear rise of the learning rate, update by update
  Exchange exchange = Exchange::none;
  ExchangeRule rule = ExchangeRule::linear;
  int64_t max_batch = 0;  // 0: no maximum but the training set
  EpochEdge epoch_edge = EpochEdge::straddle;
};

// Returns the number of samples in so many epochs, rounded to the nearest.
SamplesSeen samples_in(double epochs, const ScheduleOptions&);

// Throws std::invalid_argument with the option, the value found and the value expected. If train_images is 0,
// not yet known, nothing that depends on it is checked.
void validate(const ScheduleOptions&);

// Returns the schedule of these options. Throws as validate() does.
std::unique_ptr<Schedule> make_schedule(const ScheduleOptions&);

// One update: samples [first, end()).
struct Update {
  SamplesSeen first = 0;
  Setting setting;
  SamplesSeen end() const { return first + setting.batch; }
};

// The updates of a run in order. At least half of the last one lies inside the run.
class Timeline {
 public:
  explicit Timeline(const ScheduleOptions&);
  // Returns the update that begins at `seen`; none when the run is over. If the rest of the epoch is dropped
  // because it is too small for the update, the update begins at the next epoch's first sample. The one after
  // it is next(update.end()).
  std::optional<Update> next(SamplesSeen seen) const;

 private:
  std::shared_ptr<const Schedule> schedule_;
  int64_t train_images_;
  SamplesSeen end_;
  bool drop_;
};

}  // namespace crescendo
