// The list of operations of one forward pass, in the order they ran; backward is a loop over it from the end.
// The tape is passed to every op as an argument, and carries what training and evaluation do differently.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/packed_weights.h"

namespace crescendo {

// How running statistics follow the ghost batches: one exact exponential average over all of them in order,
// or one step an update with their mean (docs/derivations/ghost_batch_norm.md).
enum class RunningStatistics { sequential, mean_of_ghosts };

struct TapeOptions {
  int64_t ghost = 0;  // images in a ghost batch; 0: the whole micro-batch is one
  RunningStatistics running_statistics = RunningStatistics::sequential;
  uint64_t seed = 0;                       // of dropout
  const StepCounters* counters = nullptr;  // in the device's memory: their position keys dropout's masks
};

class Tape {
 public:
  // Records; ghost_batch_norm normalises with the ghosts' own statistics, dropout drops.
  static Tape training(TapeOptions options = {}) { return Tape(true, options); }
  // Records nothing; ghost_batch_norm uses the running statistics, dropout passes everything. Passes that
  // share `packed` pack each convolution's weights once.
  static Tape off(PackedWeights* packed = nullptr) {
    Tape tape(false, {});
    tape.packed_ = packed;
    return tape;
  }

  bool is_training() const { return training_; }
  const TapeOptions& options() const { return options_; }
  // For conv2d_forward.
  ConvolutionWeight weight(const Conv2dGeometry& g, const Tensor& weight) const {
    return packed_ != nullptr ? packed_->of(g, weight) : ConvolutionWeight{weight.as_activations()};
  }
  // The ghost batch for n images; throws std::invalid_argument unless it divides n.
  int64_t ghost(int64_t n) const;

  // Given the gradient of an op's output, adds to the gradients of its inputs.
  using Backward = std::function<void(const Tensor& output_gradient)>;

  // Notes that `output` was computed from `inputs` and how to send its gradient back; returns `output`. The
  // closure holds, and so keeps alive, what backward reads, and nothing else. Records only when training and
  // an input needs a gradient.
  Tensor record(const char* name, std::span<const Tensor> inputs, const Tensor& output, Backward backward);
  Tensor record(const char* name, std::initializer_list<Tensor> inputs, const Tensor& output,
                Backward backward) {
    return record(name, std::span(inputs.begin(), inputs.size()), output, std::move(backward));
  }

  // The same for several outputs of one operation. A gradient is undefined where an output has none; where
  // all are, nothing is called.
  using SharedBackward = std::function<void(std::span<const Tensor> output_gradients)>;
  void record(const char* name, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
              SharedBackward backward);

  // Seeds the gradient of `output` with `value` everywhere: for an output beside the one given to backward().
  void seed(const Tensor& output, double value = 1);
  // Runs the recorded operations backwards, freeing each as it goes; the tape is then empty.
  // The first form seeds `output`, the second gives it a gradient.
  void backward(const Tensor& output, double value = 1);
  void backward(const Tensor& output, const Tensor& output_gradient);

  // Called as each op has run, recorded or not: how a failing forward pass is searched for its first
  // non-finite value, and how a model's layers are listed.
  std::function<void(const char* name, std::span<const Tensor> inputs, const Tensor& output)> observer;

 private:
  struct Record {
    std::vector<std::shared_ptr<Gradient>> output_gradients;
    SharedBackward backward;
    void run() const;
  };
  Tape(bool training, const TapeOptions& options) : training_(training), options_(options) {}
  void run_backward();

  bool training_;
  TapeOptions options_;
  PackedWeights* packed_ = nullptr;
  std::vector<Record> records_;
};

}  // namespace crescendo
