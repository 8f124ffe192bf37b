// The gradient of one update: forward and backward passes over its micro-batches, one after another. The sums
// over ghost batches are exact, or with --gradient-sum float taken in a fixed order. Memory does not grow
// with the batch, and the cut into micro-batches changes no bit.
//
// The host does not wait for the device in begin(), add() and finish(), with one exception: where the noise
// scale is measured, finish() reads two sums back. The device counts losses and hits. After the first update
// that is not finite it skips all further parameter updates. The host learns of both in read().
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/model.h"
#include "trainer/options/options.h"
#include "trainer/step/device_data.h"
#include "trainer/step/micro_step.h"
#include "trainer/step/noise_scale.h"
#include "trainer/step/update_sums.h"

namespace crescendo {

// A loss or gradient was infinite or NaN. The message names the samples and the first layer.
class NonFiniteError : public std::runtime_error {
 public:
  NonFiniteError(const std::string& message, const SampleRange& bad_update, int64_t updates)
      : std::runtime_error(message), update(bad_update), updates_not_made(updates) {}
  SampleRange update;        // samples added to the bad update until it was noticed
  int64_t updates_not_made;  // finished updates that the device skipped, the bad one included
};

class GradientSum {
 public:
  using OpenBatches = std::function<std::unique_ptr<Batches>()>;
  // `options`, `model` and `workers` must outlive this object.
  GradientSum(const TrainOptions& options, int64_t micro_batch, Model& model, const ImageSize& image_size,
              const Device& device, OpenBatches open, Communicator& workers);

  // Connects several workers, who call this together, before start().
  void connect() { update_.connect(workers_); }
  // Starts a run, before its first update, with the sums to add to.
  void start(const SampleSums& sums);
  // Starts an update of these samples, a whole number of ghost batches, of which this worker computes a share.
  void begin(const SampleRange& update, const SampleRange& share);
  // Adds one micro-batch of the share, in order: a whole number of ghost batches, at most `micro_batch` images.
  void add(const SampleRange& range);
  // Ends the update: adds up over the workers, checks on the device that loss and gradients are finite, and
  // updates running statistics from the update's sums. Returns the gradients summed over samples
  // [model.parameters.size()], valid until begin().
  const Tensor& finish();
  // Counters in device memory. An optimizer skips the update if they have stopped.
  const StepCounters* counters() const { return update_.counters(); }

  // Waits for the device and brings sums() up to date. Throws NonFiniteError if an update since the last call
  // was not finite, or the present one is not so far; the parameters are then as before that update. Several
  // workers call it together, between updates.
  const SampleSums& read();
  // The sums over the samples added since start() or reset(), as of the last read().
  const SampleSums& sums() const { return sums_; }
  void reset();
  // The exchange of sums with other workers; null if there are none.
  SumExchange* exchange() const { return update_.exchange(); }
  // Returns a digest of this worker's sums over the samples, as if they were an update. start() must
  // follow.
  uint64_t digest_of_sums(const SampleRange& samples);

  // The measured noise scale; null unless options.noise_scale is set.
  const NoiseMeasurement* noise() const { return noise_ ? &*noise_ : nullptr; }
  NoiseMeasurement* noise() { return noise_ ? &*noise_ : nullptr; }

 private:
  // An update, and this worker's share of it.
  struct Shared {
    SampleRange whole, share;
  };
  std::string explain(const Shared& update);

  const TrainOptions& options_;
  int64_t micro_batch_;
  OpenBatches open_;
  UpdateSums update_;
  MicroStep step_;
  std::optional<NoiseMeasurement> noise_;
  Communicator& workers_;
  std::unique_ptr<Batches> batches_;
  SampleSums sums_;
  int64_t samples_ = 0;           // of the finished updates in sums_
  Shared present_;                // update
  SampleRange range_;             // of the present share, so far
  std::vector<Shared> finished_;  // updates since the last read
};

}  // namespace crescendo
