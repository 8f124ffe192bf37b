#include "trainer/step/evaluation.h"

#include <algorithm>
#include <limits>

#include "engine/device_scalar.h"
#include "engine/packed_weights.h"
#include "kernels/exact_sum.h"

namespace crescendo {

std::optional<Evaluation> evaluate(const Model& model, const DeviceData& data,
                                   const EvaluationOptions& options) {
  const Device& device = data.device();
  const int64_t total = data.dataset().size();
  MicroBatches micro_batches({0, total}, options.micro_batch);
  const int64_t most = std::clamp<int64_t>(options.micro_batch, 1, std::max<int64_t>(total, 1));
  const auto batches =
      data.batches({.shuffle = false, .chunk = most, .workers = options.loader_threads, .end = total}, most);
  DeviceScalar<StepCounters> counters(device);
  DeviceScalar<UpdateCounts> counts(device);
  device.run(BeginUpdate{.first = 0,
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
    if (options.progress) options.progress(range->first + range->count);
  }
  const UpdateCounts counted = counts.value();
  const double loss = counted.bad == 0 ? kLossUnit * static_cast<double>(counted.loss)
                                       : std::numeric_limits<double>::quiet_NaN();
  return Evaluation{
      .correct = counted.correct, .total = total, .loss = total ? loss / static_cast<double>(total) : 0};
}

}  // namespace crescendo
