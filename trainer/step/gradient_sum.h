// The gradient of one update: forward and backward over its micro-batches, one after another, summed in a
// fixed order, so that memory does not grow with the batch and the cut into micro-batches changes no bit.
//
// The host waits for none of it. The device counts losses and hits, and holds its parameters fast from the
// first update that is not finite; the host learns of both whenever it reads the counters.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/device_scalar.h"
#include "engine/replay.h"
#include "models/model.h"
#include "trainer/options/options.h"
#include "trainer/step/device_data.h"
#include "trainer/step/noise_scale.h"

namespace crescendo {

// A loss or gradient was infinite or NaN; the message names the samples and the first layer.
class NonFiniteError : public std::runtime_error {
 public:
  NonFiniteError(const std::string& message, const SampleRange& bad_update, int64_t updates)
      : std::runtime_error(message), update(bad_update), updates_not_made(updates) {}
  SampleRange update;        // which it was, so far
  int64_t updates_not_made;  // of those that were finished: this one, if it was, and all after it
};

// Over samples.
struct SampleSums {
  double loss = 0;
  int64_t correct = 0;
  int64_t samples = 0;
};

class GradientSum {
 public:
  // Opens batches of the given ranges; they are prepared in order.
  using OpenBatches = std::function<std::unique_ptr<Batches>(SampleRanges)>;
  GradientSum(const TrainOptions& options, int64_t micro_batch, const Model& model,
              const ImageSize& image_size, const Device& device, OpenBatches open);

  // Before the first update: the ranges of all micro-batches to come, and the sums to add to.
  void start(SampleRanges ranges, const SampleSums& sums);
  // Starts an update.
  void begin();
  // Adds one micro-batch: a whole number of ghost batches, and just one where noise_scale is asked for.
  void add(const SampleRange& range);
  // Ends the update: checks on the device that loss and gradients are finite, takes pending running
  // statistics in, and returns the gradients summed over samples [model.parameters.size()], valid until
  // begin().
  const Tensor& finish();
  // In the device's memory; the update is to be left out where they have stopped.
  const StepCounters* counters() const { return counters_.place(); }

  // Waits for the device. Throws NonFiniteError if since the last call an update was not finite, or if the
  // loss of the present one is not: the parameters are then what they were before it.
  const SampleSums& read();
  // Of the samples added since start() or reset(); read() brings them up to date.
  const SampleSums& sums() const { return sums_; }
  void reset();

  // The measured noise scale, where options.noise_scale asks for it. An update of several ghost batches
  // compares them with their mean; updates of a single one are compared in pairs, with the parameters of two
  // successive updates taken as the same. `pair` is the first half of such a pair: state, to be saved with
  // the optimizer's.
  NoiseScale noise_scale;
  const Tensor& pair() const { return pair_; }
  bool pair_waiting = false;

 private:
  // Of gradient sums, in the device's memory: of each ghost, added up, and of all together.
  struct Squares {
    double ghosts = 0, total = 0;
  };
  // A micro-batch of a size; the first one of an update overwrites the gradients, the others add to them.
  struct MicroStep {
    int64_t samples;
    bool first;
    auto operator<=>(const MicroStep&) const = default;
  };

  const DeviceBatch& input(int64_t samples);
  void go_to(int64_t position);
  void forward_backward(const DeviceBatch& batch);
  CrossEntropy forward(Tape& tape, const DeviceBatch& batch) const;
  void add_ghost(Write write);
  void add_squares(const Tensor& flat, double* sum, Write write) const;
  void observe_noise();
  void blend_statistics();
  TapeOptions tape_options() const;
  // What was not finite in an update's loss or gradient.
  std::string explain(const SampleRange& update);
  std::string explain_loss(const DeviceBatch& batch, const SampleRange& range) const;
  std::string explain_gradient(const SampleRange& update) const;

  const TrainOptions& options_;
  int64_t micro_batch_;
  const Model& model_;
  ImageSize image_size_;
  Device device_;
  OpenBatches open_;
  std::unique_ptr<Batches> batches_;
  std::map<int64_t, DeviceBatch> inputs_;  // by their samples
  std::map<MicroStep, Replay> steps_;
  DeviceScalar<StepCounters> counters_;
  int64_t position_ = -1;  // where the device's counters are; -1: not known
  SampleSums sums_;
  SampleRange range_;                  // of the present update, so far
  std::vector<SampleRange> finished_;  // updates since the last read
  Tensor total_, pair_;                // with options.noise_scale only
  DeviceScalar<Squares> squares_;
};

}  // namespace crescendo
