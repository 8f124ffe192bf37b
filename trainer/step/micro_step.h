// The forward and backward pass over one micro-batch.
#pragma once

#include <map>

#include "engine/replay.h"
#include "models/model.h"
#include "trainer/options/options.h"
#include "trainer/step/device_data.h"
#include "trainer/step/update_sums.h"

namespace crescendo {

// Computes micro-batches and adds them to the sums of an update. The first two micro-batches of a size run as
// they are. A device that can capture kernels captures the third and replays it from then on.
class MicroStep {
 public:
  // All references must outlive this object.
  MicroStep(const TrainOptions& options, const Model& model, const ImageSize& image_size, UpdateSums& sums);

  // The place of a micro-batch in its update.
  struct Place {
    bool first;  // gradients overwrite those of the update before
    bool last;   // of this worker's share: sums may travel as soon as they are complete
  };
  // Adds one micro-batch to the sums.
  void run(Batches& batches, const SampleRange& range, const Place& place);

  // ---- The parts of run(), for a caller that looks at each.

  // Returns the samples of `range` in tensors of their own.
  DeviceBatch load(Batches& batches, const SampleRange& range);
  TapeOptions tape_options() const;
  // Returns the loss and the hits of each sample. An auxiliary head's weighted loss enters the gradient only.
  CrossEntropy forward(Tape& tape, const DeviceBatch& batch) const;

  const Model& model() const { return model_; }
  const UpdateSums& sums() const { return sums_; }

 private:
  // The properties in which captured steps differ.
  struct Kind {
    int64_t samples;
    bool overwrites;  // gradients that add up in the store
    bool in_parts;    // it adds to the sums in parts, which travel meanwhile
    auto operator<=>(const Kind&) const = default;
  };

  const Device& device() const { return sums_.gradients().device(); }
  const DeviceBatch& input(int64_t samples);
  void forward_backward(const DeviceBatch& batch, bool in_parts);

  const TrainOptions& options_;
  const Model& model_;
  ImageSize image_size_;
  UpdateSums& sums_;
  std::map<int64_t, DeviceBatch> inputs_;  // by number of samples
  std::map<Kind, Replay> steps_;
};

}  // namespace crescendo
