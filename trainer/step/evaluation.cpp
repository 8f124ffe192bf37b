#include "trainer/step/evaluation.h"

#include <algorithm>
#include <array>
#include <limits>

#include "engine/device_scalar.h"
#include "engine/packed_weights.h"
#include "kernels/exact_sum.h"
#include "trainer/workers/share.h"

namespace crescendo {

namespace {

// Returns the counts of a worker's share of the data; none if it was stopped.
std::optional<UpdateCounts> count(const Model& model, const DeviceData& data,
                                  const EvaluationOptions& options, const SampleRange& share) {
  const Device& device = data.device();
  const int64_t total = data.dataset().size();
  MicroBatches micro_batches(share, options.micro_batch);
  const int64_t most = std::clamp<int64_t>(options.micro_batch, 1, std::max<int64_t>(total, 1));
  const auto batches = data.batches(
      {.shuffle = false, .chunk = most, .workers = options.loader_threads, .end = share.first + share.count},
      most);
  DeviceScalar<StepCounters> counters(device);
  DeviceScalar<UpdateCounts> counts(device);
  device.run(BeginUpdate{.first = 0,
                         .position = share.first,
                         .ghosts = total,
                         .n = 0,
                         .sums = nullptr,
                         .counters = counters.address(),
                         .counts = counts.address()});
  PackedWeights packed;
  while (const std::optional<SampleRange> range = micro_batches()) {
    if (options.stop && options.stop()) return {};
    const DeviceBatch batch(device, data.dataset().image_size(), range->count);
    batches->prepare(*range, batch);
    batches->write(counters.address(), batch);
    Tape tape = Tape::off({.packed_weights = &packed});
    const auto [losses, correct] =
        softmax_cross_entropy(tape, model.forward(tape, batch.images), batch.labels);
    device.run(CountSamples{.geometry = {.n = range->count, .ghost = 1},
                            .losses = losses.as_reals(),
                            .correct = correct.as_indices(),
                            .counters = counters.address(),
                            .counts = counts.address()});
    if (options.progress) options.progress(range->first + range->count - share.first, share.count);
  }
  return counts.value();
}

}  // namespace

std::optional<Evaluation> evaluate(const Model& model, const DeviceData& data,
                                   const EvaluationOptions& options, Communicator& workers) {
  const int64_t total = data.dataset().size();
  const std::optional<UpdateCounts> mine =
      count(model, data, options, share_of({0, total}, options.micro_batch, workers));
  std::array<int64_t, 4> sums{};  // of loss, hits, bad losses, workers that stopped
  if (mine)
    sums = {mine->loss, mine->correct, mine->bad, 0};
  else
    sums[3] = 1;
  workers.sum(sums);
  const auto [loss_units, correct, bad, stopped] = sums;
  if (stopped > 0) return {};
  const double loss =
      bad == 0 ? kLossUnit * static_cast<double>(loss_units) : std::numeric_limits<double>::quiet_NaN();
  return Evaluation{
      .correct = correct, .total = total, .loss = total ? loss / static_cast<double>(total) : 0};
}

}  // namespace crescendo
