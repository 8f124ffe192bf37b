// Schedules: learning rate, momentum, weight decay and batch as pure functions of the samples seen.
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
#include <vector>

#include "trainer/schedule/batch_policy.h"

namespace crescendo {

// A policy that ignores what was measured: a pure function of the samples seen.
class Schedule : public BatchPolicy {
 public:
  // Returns the setting of the update that begins after `seen` samples. A step schedule gives the setting of
  // the segment that contains the update's middle.
  virtual Setting at(SamplesSeen seen) const = 0;

  Setting next(SamplesSeen seen, const Measurement&) final { return at(seen); }
  BatchBounds bounds(SamplesSeen seen) const final { return {at(seen).batch, at(seen).batch}; }
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
  double factor = 5;               // divisor of the learning rate at each milestone; hybrid: batch growth
  double warmup_epochs = 0;        // linear rise of the learning rate, update by update
  Exchange exchange = Exchange::none;
  ExchangeRule rule = ExchangeRule::linear;
  int64_t max_batch = 0;  // largest batch; 0: the training set
  EpochEdge epoch_edge = EpochEdge::straddle;
};

// Returns the number of samples in `epochs` epochs, rounded to the nearest whole number.
SamplesSeen samples_in(double epochs, const ScheduleOptions&);

// Throws std::invalid_argument with the option, the value found and the value expected. If train_images is 0,
// not yet known, nothing that depends on it is checked.
void validate(const ScheduleOptions&);

// Returns the schedule of these options. Throws as validate() does.
std::unique_ptr<Schedule> make_schedule(const ScheduleOptions&);

}  // namespace crescendo
