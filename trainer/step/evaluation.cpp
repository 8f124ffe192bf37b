#include "trainer/step/evaluation.h"

#include <algorithm>

#include "engine/device_scalar.h"

namespace crescendo {

std::optional<Evaluation> evaluate(const Model& model, const DeviceData& data,
                                   const EvaluationOptions& options) {
  const Device& device = data.device();
  const int64_t total = data.dataset().size();
  const auto range_at = [&](int64_t first) {
    return SampleRange{first, std::min(options.micro_batch, total - first)};
  };
  const LoaderOptions in_order{.shuffle = false, .workers = options.loader_threads};
  const auto batches = data.batches(in_order, std::min(options.micro_batch, total),
                                    [=, next = int64_t{0}]() mutable -> std::optional<SampleRange> {
                                      if (next >= total) return {};
                                      const SampleRange range = range_at(next);
                                      next += range.count;
                                      return range;
                                    });
  DeviceScalar<StepCounters> counters(device);
  counters.set({});
  PackedWeights packed;
  for (int64_t done = 0; done < total;) {
    if (options.stop && options.stop()) return {};
    const SampleRange range = range_at(done);
    const DeviceBatch batch(device, data.dataset().image_size(), range.count);
    batches->prepare(range, batch);
    batches->write(counters.place(), batch);
    Tape tape = Tape::off(&packed);
    const auto [losses, correct] =
        softmax_cross_entropy(tape, model.forward(tape, batch.images), batch.labels);
    // Sample by sample: the sum does not depend on the micro-batch.
    device.kernels().count_samples({.n = range.count, .ghost = 1}, losses.as_reals(), correct.as_indices(),
                                   counters.place());
    done += range.count;
    if (options.progress) options.progress(done);
  }
  const StepCounters counted = counters.value();
  return Evaluation{.correct = counted.correct,
                    .total = total,
                    .loss = total ? counted.loss / static_cast<double>(total) : 0};
}

}  // namespace crescendo
