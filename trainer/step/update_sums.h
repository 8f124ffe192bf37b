// The sums of an update over its ghost batches: gradients, loss, hits, running statistics and squares.
#pragma once

#include "engine/device_scalar.h"
#include "engine/parameters.h"
#include "kernels/step_counters.h"

namespace crescendo {

// Sums over samples, as the host knows them.
struct SampleSums {
  double loss = 0;
  int64_t correct = 0;
  int64_t samples = 0;
};

// The sums in device memory. Gradients and running statistics lie in the parameter store, where the backward
// pass adds them. If the noise scale is measured, the store holds one ghost batch's gradients and add_ghost()
// adds them up here.
class UpdateSums {
 public:
  // Sums of squared gradient elements: of each ghost batch, added up, and of the sum over all ghost batches.
  struct Squares {
    double ghosts = 0, total = 0;
  };

  UpdateSums(ParameterStore& parameters, bool measures_noise);

  // Sets the counts of loss and hits, and forgets the position and earlier failures.
  void restart(const SampleSums& counts);
  // Starts an update: the next gradients overwrite those of the update before.
  void begin();
  // Adds the gradients in the store, those of one ghost batch, and their squares. `write` is overwrite for
  // the first ghost batch of an update.
  void add_ghost(Write write);
  // Divides the pending running statistics by the number of ghost batches and blends them into the running
  // ones: running = (1 - momentum) * running + momentum * mean over the update's ghost batches.
  void blend_statistics(double momentum, int64_t ghosts);

  // Moves the device's position in the run. Uploads only if the position is not that already.
  void move_to(int64_t position);
  // Notes that the device has counted so many samples and moved its position past them.
  void note_counted(int64_t samples) { position_ += samples; }

  ParameterStore& parameters() const { return parameters_; }
  // The gradients summed over samples [parameters.size()].
  const Tensor& gradients() const { return total_.defined() ? total_ : parameters_.gradients(); }
  // Loss, hits, position and the first update that was not finite, in device memory.
  StepCounters* counters() const { return counters_.address(); }
  DeviceScalar<StepCounters>& counter_values() { return counters_; }
  DeviceScalar<Squares>& squares() { return squares_; }

 private:
  ParameterStore& parameters_;
  DeviceScalar<StepCounters> counters_;
  int64_t position_ = -1;  // of the device; -1: not known
  Tensor total_;           // defined if the noise scale is measured
  DeviceScalar<Squares> squares_;
};

// Returns a real tensor [size] of zeros.
Tensor zeros(const Device& device, int64_t size);

// Writes the sum of squares of a flat real tensor to `sum`, in device memory, or adds it.
void add_squares(const Tensor& flat, double* sum, Write write);

}  // namespace crescendo
