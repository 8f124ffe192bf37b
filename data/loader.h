// Loads the samples of a run chunk by chunk, ahead of time, in background threads.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <span>

#include "data/dataset.h"

namespace crescendo {

// The samples at positions [first, first + count) of a run. A position counts samples from the start of the
// run; data/sampler.h maps it to an epoch and an image.
struct SampleRange {
  int64_t first = 0, count = 0;
};

// Loaded samples, in one block of memory: the images, directly followed by the labels.
struct LoadedSamples {
  SampleRange range;
  std::span<float> images;    // [count, h, w, c]
  std::span<int32_t> labels;  // [count]
  std::shared_ptr<void> memory;

  size_t bytes() const { return images.size_bytes() + labels.size_bytes(); }
};

// Allocates ordinary host memory, in huge pages where possible.
std::shared_ptr<void> plain_memory(size_t bytes);

struct LoaderOptions {
  bool shuffle = true;  // true: order drawn from (seed, epoch); false: file order in every epoch
  uint64_t seed = 0;
  int64_t chunk = 128;  // samples loaded together; in training one ghost batch
  int ahead = 3;        // chunks ahead of next(): at most so many are being loaded or wait
  int workers = 1;      // background threads; 0: load within next(). Affects speed, never the samples.
  int64_t end = std::numeric_limits<int64_t>::max();  // end of the positions; a chunk does not cross it
  // Allocates memory for samples, at least 4-byte aligned. Any thread may call it, one at a time.
  std::function<std::shared_ptr<void>(size_t bytes)> allocate = plain_memory;
};

class Loader {
 public:
  // Starts the workers. Throws std::invalid_argument if the data set is empty or an option is out of range.
  Loader(std::shared_ptr<const Dataset>, const LoaderOptions&);
  ~Loader();

  // Returns the chunk that begins at position `first`: options.chunk samples, or fewer if options.end comes
  // first. The workers go on with the chunks that follow it. A caller may jump to any position, but waits
  // longer for it. Throws std::invalid_argument if `first` is not in [0, options.end). Rethrows a worker's
  // exception, and does so again in every further call for that chunk.
  LoadedSamples next(int64_t first);

  // Says which chunks will be asked for: those of `range`, a whole number of chunks, and then those of the
  // range `stride` samples later, and so on. Without this, all chunks are loaded, one after another.
  void expect(const SampleRange& range, int64_t stride);
  // Returns the memory of samples to the loader, which reuses it. If all samples are given back, the loader
  // stops allocating after the first few chunks.
  void give_back(LoadedSamples samples);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace crescendo
