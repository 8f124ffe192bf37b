// Shares by speed: a slower worker takes fewer ghost batches, so that all are done at the same time. Results do not
// depend on it.
#pragma once

#include <vector>

#include "data/loader.h"
#include "trainer/workers/agreement.h"

namespace crescendo {

class Balance {
 public:
  explicit Balance(int workers) : speeds_(static_cast<size_t>(workers)) {}

  // Notes what all workers report after an update.
  void note(const std::vector<UpdateReport>& reports);

  // Returns how many of `chunks` each worker takes, in order of rank: as many each, or one more, until all have
  // been measured; then so that the last one to finish does so as soon as possible.
  std::vector<int64_t> shares(int64_t chunks) const;

 private:
  bool are_measured() const;

  // Sums over the updates so far, in which the newest has the greatest weight.
  struct Speed {
    double computed = 0, ghosts = 0;
    double seconds_per_ghost() const { return computed / ghosts; }
  };
  std::vector<Speed> speeds_;
};

// Returns the samples of a worker if each takes so many chunks, which follow each other in order of rank.
SampleRange share_of(const SampleRange& whole, int64_t chunk, const std::vector<int64_t>& shares, int rank);

}  // namespace crescendo
