// The sums of an update over its ghost batches: gradients, loss, hits, running statistics and squares.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "data/loader.h"
#include "engine/device_scalar.h"
#include "engine/parameters.h"
#include "kernels/communicator.h"
#include "kernels/exact_sum.h"
#include "trainer/options/options.h"
#include "trainer/step/sum_buckets.h"

namespace crescendo {

// Sums over samples, as the host knows them.
struct SampleSums {
  double loss = 0;
  int64_t correct = 0;
  int64_t samples = 0;
};

// The sums in device memory. With options.exact_sum, the parameter store holds the gradients of a
// micro-batch's ghost batches one by one, and add_ghosts() adds them here as integers, where ops add the
// statistics too; finish() puts the results into the store. Otherwise ops update the statistics in the store,
// and the backward pass adds the gradients up there. If the noise scale is measured, add_ghosts() does so
// here.
class UpdateSums {
 public:
  // All references must outlive this object.
  UpdateSums(ParameterStore& parameters, const TrainOptions& options, int64_t micro_batch);

  // Lets several workers, who call this together, add up their sums. They need exact sums.
  void connect(Communicator& workers);
  // Sets the counts of loss and hits, and forgets the position and earlier failures.
  void restart(const SampleSums& counts);
  // Starts an update of these samples, of which this worker computes those from `position` on: the next
  // gradients overwrite those of the update before.
  void begin(const SampleRange& update, int64_t position);
  // Returns true if add_ghosts() must follow each micro-batch, whose gradients then overwrite those in the
  // store.
  bool takes_ghosts() const { return options_.exact_sum || options_.noise_scale; }
  // Adds the gradients in the store, those of a micro-batch of `ghosts` ghost batches, and, if the noise
  // scale is measured, their squares.
  void add_ghosts(int64_t ghosts);
  // A ghost batch's gradient must be smaller to be added; infinity for sums in reals.
  double gradient_bound() const;
  // Returns true if the last micro-batch of an update may be added in parts, so that sums travel while it is
  // computed: add_complete() when a gradient is complete, and add_rest() after the backward pass.
  bool overlaps() const { return exchange_ != nullptr && exchange_->overlaps(); }
  void add_complete(const Tensor& gradient, int64_t ghosts);
  void add_rest(int64_t ghosts);
  // Ends the update: adds up over all workers, notes if a sum is not finite, and computes gradients() and the
  // running statistics, into which a ghost batch enters with the weight `momentum`.
  void finish(double momentum);

  // Moves the device's position in the run. Uploads only if the position is not that already.
  void move_to(int64_t position);
  // Notes that the device has counted so many samples and moved its position past them.
  void note_counted(int64_t samples) { position_ += samples; }

  ParameterStore& parameters() const { return parameters_; }
  // The gradients summed over samples [parameters.size()], after finish().
  const Tensor& gradients() const { return total_.defined() ? total_ : parameters_.gradients(); }
  // Position, loss, hits and the first update that was not finite, in device memory.
  StepCounters* counters() const { return counters_.address(); }
  // Waits for the device and returns this worker's exact sums, with the counts.
  std::vector<int64_t> exact_values() const;
  // The exchange with other workers; null if there are none.
  SumExchange* exchange() const { return exchange_.get(); }
  DeviceScalar<StepCounters>& counter_values() { return counters_; }
  // The counts of the present update so far, in device memory.
  UpdateCounts* counts() const;
  // Waits for the device and returns the counts. After finish() they hold the squares only.
  UpdateCounts count_values() const;

 private:
  const Device& device() const { return parameters_.values().device(); }
  void add_to_sums(int64_t begin, int64_t end, int64_t ghosts);
  void add_squares(int64_t ghosts);
  void start_exchange(const SumBuckets::Bucket& bucket);
  void blend_statistics(double momentum);
  void take_statistics(double momentum);

  ParameterStore& parameters_;
  const TrainOptions& options_;
  DeviceScalar<StepCounters> counters_;
  Tensor exact_;  // exact sums of gradients and statistics, none without options.exact_sum; then UpdateCounts
  int64_t exact_size_ = 0;                 // without the UpdateCounts
  int64_t ghosts_ = 0;                     // of the update
  int64_t position_ = -1;                  // of the device; -1: not known
  std::unique_ptr<SumExchange> exchange_;  // null for one worker
  std::optional<SumBuckets> buckets_;      // of the exchange
  Tensor total_;                           // defined if add_ghosts() adds in reals
  DeviceScalar<double> square_;            // of one ghost batch
};

// Returns a real tensor [size] of zeros.
Tensor zeros(const Device& device, int64_t size);

// Writes the sum of squares of a flat real tensor to `sum`, in device memory.
void write_sum_of_squares(const Tensor& flat, double* sum);

}  // namespace crescendo
