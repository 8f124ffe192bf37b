// The gradient of one update: forward and backward over its micro-batches, one after another, summed in a
// fixed order, so that memory does not grow with the batch and the cut into micro-batches changes no bit.
#pragma once

#include <stdexcept>
#include <string>

#include "data/loader.h"
#include "engine/device_scalar.h"
#include "models/model.h"
#include "trainer/noise_scale.h"
#include "trainer/options.h"

namespace crescendo {

// A loss or gradient was infinite or NaN; the message names the samples and the first layer.
class NonFiniteError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct UpdateSums {
  double loss = 0;  // sum over samples
  int64_t correct = 0;
  int64_t samples = 0;
};

class GradientSum {
 public:
  GradientSum(const TrainOptions& options, const Model& model, const ImageSize& image_size,
              const Device& device);

  // Starts an update.
  void begin();
  // Adds one micro-batch: a whole number of ghost batches, and just one where noise_scale is asked for.
  // Throws NonFiniteError if a loss is not finite.
  void add(const LoadedSamples& samples);
  // Ends the update: checks that all gradients are finite (NonFiniteError), takes pending running statistics
  // in, and returns the gradients summed over samples [model.parameters.size()], valid until begin().
  const Tensor& finish();

  const UpdateSums& sums() const { return sums_; }

  // The measured noise scale, where options.noise_scale asks for it. An update of several ghost batches
  // compares them with their mean; updates of a single one are compared in pairs, with the parameters of two
  // successive updates taken as the same. `pair` is the first half of such a pair: state, to be saved with
  // the optimizer's.
  NoiseScale noise_scale;
  const Tensor& pair() const { return pair_; }
  bool pair_waiting = false;

 private:
  void forward_backward(const LoadedSamples& samples);
  [[noreturn]] void explain(const LoadedSamples& samples) const;
  void add_ghost();
  void observe_noise();
  void blend_statistics();
  double squared_norm(const Tensor& flat) const;
  TapeOptions tape_options(const SampleRange& range) const;

  const TrainOptions& options_;
  const Model& model_;
  ImageSize image_size_;
  Device device_;
  UpdateSums sums_;
  SampleRange range_;
  int64_t ghosts_ = 0;
  Tensor total_, pair_;       // with options.noise_scale only
  double ghost_squares_ = 0;  // sum of |ghost's gradient sum|^2
  DeviceScalar<double> squared_;
  DeviceScalar<int64_t> nonfinite_;
};

}  // namespace crescendo
