// What to train with at each point of a run, and where each update begins: pure functions of samples seen.
//
// A base schedule gives a learning rate that decays from its initial value, eps(s) = eps0 * r(s). An exchange
// turns the decay into growth of the batch (Smith, Kindermans, Ying, Le, ICLR 2018):
//   B(s)   = min(maximum, B0 / r(s)) in whole ghost batches
//   eps(s) = eps0 * r(s) * rule(B(s) / B0), rule(x) = x (linear, for SGD) or sqrt(x) (for Adam)
// so whatever rounding or the maximum takes away from the batch stays in the learning rate, and the noise
// scale eps / (1 - m) * (N / B - 1) follows the base schedule's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace crescendo {

using SamplesSeen = int64_t;

struct Setting {
  double learning_rate = 0, momentum = 0, weight_decay = 0;
  int64_t batch = 0;
  bool operator==(const Setting&) const = default;
};

// g = eps / (1 - m) * (N / B - 1), the scale of the noise in the parameters' motion (Smith et al. 2018, eq. 5
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
  // The setting of the update that begins after `seen` samples. Of a step schedule it is that of the segment
  // in which the update's middle lies.
  virtual Setting at(SamplesSeen seen) const = 0;
};

enum class BaseSchedule { step, cosine, linear, constant };
// hybrid: the batch grows once, at the first decay; then the rate decays
enum class Exchange { none, hybrid, batch };
enum class ExchangeRule { linear, square_root };
// A batch may reach over an epoch's edge, or an epoch's remainder is dropped.
enum class EpochEdge { straddle, drop };

struct ScheduleOptions {
  int64_t train_images = 0;
  double epochs = 0;
  double learning_rate = 0, momentum = 0, weight_decay = 0;
  int64_t batch = 0, ghost_batch = 0;
  BaseSchedule base = BaseSchedule::step;
  std::vector<double> milestones;  // epochs, ascending
  double factor = 5;               // the learning rate is divided by it at each milestone
  double warmup_epochs = 0;        // linear, from batch-th part of the way up, update by update
  Exchange exchange = Exchange::none;
  ExchangeRule rule = ExchangeRule::linear;
  int64_t max_batch = 0;  // 0: no maximum but the training set
  EpochEdge epoch_edge = EpochEdge::straddle;
};

// Where a time in epochs lies: at the nearest sample.
SamplesSeen samples_in(double epochs, const ScheduleOptions&);

// Throws std::invalid_argument naming the option, what was found and what was expected. train_images 0 means
// not yet known: what depends on it is then not checked.
void validate(const ScheduleOptions&);

// The schedule of valid options; throws as validate() does.
std::unique_ptr<Schedule> make_schedule(const ScheduleOptions&);

// One update: samples [first, end()).
struct Update {
  SamplesSeen first = 0;
  Setting setting;
  SamplesSeen end() const { return first + setting.batch; }
};

// The updates of a run in order. The last one is that of which at least half lies inside the run.
class Timeline {
 public:
  explicit Timeline(const ScheduleOptions&);
  // The update that begins at `seen`, or at the next epoch's first sample where the epoch's remainder is too
  // small for it and is dropped; none when the run is over. The next one is next(update.end()).
  std::optional<Update> next(SamplesSeen seen) const;

 private:
  std::shared_ptr<const Schedule> schedule_;
  int64_t train_images_;
  SamplesSeen end_;
  bool drop_;
};

}  // namespace crescendo
