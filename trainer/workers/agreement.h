// After each update the workers tell each other how it went, and agree on what a clock or a signal asks for.
// What they do next thus depends on values that all of them know.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernels/communicator.h"

namespace crescendo {

// A worker's report after an update; times in seconds.
struct UpdateReport {
  int64_t signal = 0;                  // received by the worker; 0: none
  int64_t ghosts = 0;                  // its share of the update, in ghost batches
  double computed = 0, exchanged = 0;  // times of the update: for its share, and for the exchange of sums
  bool save_due = false;               // of rank 0: time for a checkpoint
  bool show_due = false;               // of rank 0: time to show progress
};

struct Agreement {
  int signal = 0;
  bool save_due = false, show_due = false;
  double exchange = 0;  // seconds that the exchange took the last worker to arrive, who waited for none
  double waiting = 0;   // seconds that rank 0 waited for others
};

// Returns what the reports of all workers come to.
Agreement agree(const std::vector<UpdateReport>& reports);

// Finds workers that are slower than the others.
class SlowWorkers {
 public:
  explicit SlowWorkers(int workers) : seconds_(static_cast<size_t>(workers)) {}

  struct Slow {
    int rank;
    double factor;  // time for a ghost batch, in that of the median worker
  };
  // Notes an update. Returns the slowest worker that takes much longer than the median one, once for each
  // worker; it judges 25 updates at a time, and ten seconds of the slowest worker at least.
  std::optional<Slow> note(const std::vector<UpdateReport>& reports);

 private:
  std::optional<Slow> slowest() const;

  struct Seconds {
    double computed = 0;
    int64_t ghosts = 0;
    bool named = false;
  };
  std::vector<Seconds> seconds_;
  int64_t updates_ = 0;
};

}  // namespace crescendo
