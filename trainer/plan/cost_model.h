// The time of an update on many workers, predicted from what was measured on few
// (docs/derivations/workers.md).
#pragma once

#include <cstdint>
#include <optional>

namespace crescendo {

// Times in seconds.
struct CostModel {
  double per_ghost = 0;   // a worker's forward and backward pass over a ghost batch
  double per_update = 0;  // the rest of an update, whatever the batch
  double spread = 0;      // standard deviation of a worker's time for an update, as a fraction of its mean
  double latency = 0;     // of a message between two workers
  double bandwidth = 0;   // bytes a second that a worker sends and receives; 0: the exchange takes no time
  int64_t bytes = 0;      // of the sums that an update exchanges
  double hidden = 0;      // part of the exchange that runs beside the backward pass

  bool operator==(const CostModel&) const = default;
};

// Returns the seconds of an exchange between workers: a reduction and a distribution, each in log2(N) steps,
// during which each worker sends (N - 1) / N of the bytes.
//   2 log2(N) latency + 2 (N - 1) / N bytes / bandwidth
double exchange_seconds(const CostModel& cost, int64_t workers);

// Returns the seconds of an update of `ghosts` ghost batches:
//   per_update + ceil(K / N) per_ghost (1 + spread sqrt(2 ln N)) + max(0, exchange - hidden)
// The slowest of N workers takes about sqrt(2 ln N) standard deviations longer than the mean one.
double update_seconds(const CostModel& cost, int64_t ghosts, int64_t workers);

// Returns the time on one worker, in N times that on N workers.
double efficiency(const CostModel& cost, int64_t ghosts, int64_t workers);

// Returns the most workers, up to `most`, that an update can use well: with an efficiency of at least 0.8, and
// each of them needed, so that one fewer would take a ghost batch longer.
int64_t useful_workers(const CostModel& cost, int64_t ghosts, int64_t most);

// The time of an update in which a worker computes `ghosts` ghost batches.
struct UpdateTime {
  double ghosts = 1;
  double seconds = 0;
};

// Returns per_update f and per_ghost g of the line seconds = f + g ghosts through two measured times. If
// noise makes f or g negative, f is 0 and g is fitted again by least squares.
CostModel fit_cost(const UpdateTime& a, const UpdateTime& b);

}  // namespace crescendo
