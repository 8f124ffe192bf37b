// Turns ranges of a run's sample positions into images and labels, ahead of time and in the background.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "data/dataset.h"

namespace crescendo {

// Samples [first, first + count) of a run. Position p is image order(epoch)[p % size] of epoch p / size.
struct SampleRange {
  int64_t first = 0, count = 0;
};

// Samples in a block of memory: the images and, right behind them, the labels.
struct LoadedSamples {
  SampleRange range;
  std::span<float> images;    // [count, h, w, c]
  std::span<int32_t> labels;  // [count]
  std::shared_ptr<void> memory;
  size_t capacity = 0;  // of the memory, in bytes

  size_t bytes() const { return images.size_bytes() + labels.size_bytes(); }
};

// In large pages where there are any.
std::shared_ptr<void> plain_memory(size_t bytes);

struct LoaderOptions {
  bool shuffle = true;  // by (seed, epoch); otherwise every epoch is in file order
  uint64_t seed = 0;
  int workers =
      1;  // background threads; 0: load when asked. Changes speed only, never a bit of what is loaded.
  // Memory for samples, at least 4-byte aligned; called from any of the threads, one at a time.
  std::function<std::shared_ptr<void>(size_t bytes)> allocate = plain_memory;
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

  // Hands back memory that next() gave, for samples to come. Where all is handed back, the loader allocates
  // for as many ranges as there are at once, and nothing after them unless a range is larger than any before.
  void give_back(LoadedSamples samples);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace crescendo
