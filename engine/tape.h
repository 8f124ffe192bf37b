// The tape records the operations of a forward pass, in order; backward() runs their gradients from last to
// first. Every op takes the tape as an argument,
// which also tells it whether the pass is training or evaluation.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace crescendo {

class PackedWeights;

// Update of the running statistics: an exponential average over all ghost batches in order, or one step per
// update with the mean of its ghost batches (docs/derivations/ghost_batch_norm.md).
enum class RunningStatistics { sequential, mean_of_ghosts };

struct TapeOptions {
  int64_t ghost = 0;  // images in a ghost batch; 0: the whole micro-batch is one ghost batch
  RunningStatistics running_statistics = RunningStatistics::sequential;
  uint64_t seed = 0;                       // seed of dropout
  const StepCounters* counters = nullptr;  // in device memory; dropout's masks depend on their position
  UpdateCounts* counts = nullptr;          // in device memory; exact sums of statistics need both
  // Cache of packed weights for passes outside of training; null: each pass packs the weights again.
  PackedWeights* packed_weights = nullptr;
};

class Tape {
 public:
  // Makes a tape for training: it records the ops, ghost_batch_norm uses the statistics of each ghost batch,
  // and dropout is on.
  static Tape training(TapeOptions options = {}) { return Tape(true, options); }
  // Makes a tape for evaluation: it records nothing, ghost_batch_norm uses the running statistics, and
  // dropout is off.
  static Tape off(TapeOptions options = {}) { return Tape(false, options); }

  bool is_training() const { return training_; }
  const TapeOptions& options() const { return options_; }
  // Returns the number of images in a ghost batch for a micro-batch of n images. Throws std::invalid_argument
  // if it does not divide n.
  int64_t ghost(int64_t n) const;

  // The backward pass of an op: adds to the gradients of its inputs, given the gradient of its output.
  using Backward = std::function<void(const Tensor& output_gradient)>;

  // Records that the op `name` computed `output` from `inputs`, with its backward pass. Returns `output`.
  // `backward` should capture only what it reads, because the tape keeps that alive until backward() has run
  // it. Nothing is recorded in evaluation, or if no input needs a gradient.
  Tensor record(const char* name, std::span<const Tensor> inputs, const Tensor& output, Backward backward);
  Tensor record(const char* name, std::initializer_list<Tensor> inputs, const Tensor& output,
                Backward backward) {
    return record(name, std::span(inputs.begin(), inputs.size()), output, std::move(backward));
  }

  // Records an op with several outputs; outputs[i] was computed from inputs[i]. `backward` gets one gradient
  // per output: an undefined tensor for an output that received none. It is not called if none received one.
  using SharedBackward = std::function<void(std::span<const Tensor> output_gradients)>;
  void record(const char* name, std::span<const std::vector<Tensor>> inputs, std::span<const Tensor> outputs,
              SharedBackward backward);

  // Sets each element of the gradient of `output` to `value`. Call it for each further output of the pass
  // before backward(), which takes one.
  void seed(const Tensor& output, double value = 1);
  // Runs the recorded operations from last to first, and frees each one when it is done. The first form sets
  // each element of the gradient of `output` to `value`. The second sets the gradient to output_gradient, and
  // throws std::invalid_argument if the shapes differ.
  void backward(const Tensor& output, double value = 1);
  void backward(const Tensor& output, const Tensor& output_gradient);

  // If set, is called after each op, recorded or not, for each of its outputs. It serves to find the first
  // non-finite value of a forward pass, and to list a model's layers.
  std::function<void(const char* name, std::span<const Tensor> inputs, const Tensor& output)> observer;
  // If set before the first op, is called in the backward pass for each gradient that is complete: all ops
  // that took the tensor as an input have run backward.
  std::function<void(const Tensor& gradient)> completed;

 private:
  struct Record {
    std::vector<std::shared_ptr<Gradient>> input_gradients;  // only for `completed`
    std::vector<std::shared_ptr<Gradient>> output_gradients;
    SharedBackward backward;
    void run() const;
  };
  Tape(bool training, const TapeOptions& options) : training_(training), options_(options) {}
  void count_uses(Record& record, std::span<const std::vector<Tensor>> inputs);
  void note_used(const Record& record);
  void run_backward();

  bool training_;
  TapeOptions options_;
  std::vector<Record> records_;
  std::map<const Gradient*, int> uses_;  // as an input of records_
};

}  // namespace crescendo
