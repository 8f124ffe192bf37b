// Turns ranges of a run's sample positions into images and labels, ahead of time and in the background.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "data/dataset.h"

namespace crescendo {

// Samples [first, first + count) of a run. Position p is image order(epoch)[p % size] of epoch p / size.
struct SampleRange {
  int64_t first = 0, count = 0;
};

struct LoadedSamples {
  SampleRange range;
  std::vector<float> images;    // [count, h, w, c]
  std::vector<int32_t> labels;  // [count]
};

struct LoaderOptions {
  bool shuffle = true;  // by (seed, epoch); otherwise every epoch is in file order
  uint64_t seed = 0;
  int workers =
      1;  // background threads; 0: load when asked. Changes speed only, never a bit of what is loaded.
};

class Loader {
 public:
  // `next_range` names the ranges in order, and none when there are no more; it is called from one thread at
  // a time, ahead of next() by a bounded number of ranges.
  Loader(std::shared_ptr<const Dataset>, const LoaderOptions&,
         std::function<std::optional<SampleRange>()> next_range);
  ~Loader();

  // The samples of the next range; none after the last. Rethrows what a worker threw.
  std::optional<LoadedSamples> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace crescendo
