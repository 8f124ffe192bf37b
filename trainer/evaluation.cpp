#include "trainer/evaluation.h"

#include <algorithm>

#include "data/loader.h"
#include "trainer/device_batch.h"

namespace crescendo {

std::optional<Evaluation> evaluate(const Model& model, const std::shared_ptr<const Dataset>& dataset,
                                   const Device& device, const EvaluationOptions& options) {
  Evaluation result;
  double loss = 0;
  const int64_t total = dataset->size();
  const LoaderOptions in_order{.shuffle = false, .workers = options.loader_threads};
  Loader loader(dataset, in_order, [&, next = int64_t{0}]() mutable -> std::optional<SampleRange> {
    if (next >= total) return {};
    const SampleRange range{next, std::min(options.micro_batch, total - next)};
    next += range.count;
    return range;
  });
  while (const auto samples = loader.next()) {
    if (options.stop && options.stop()) return {};
    Tape tape = Tape::off();
    const DeviceBatch batch(device, dataset->image_size(), *samples);
    const auto [losses, correct] =
        softmax_cross_entropy(tape, model.forward(tape, batch.images), batch.labels);
    for (const real sample : losses.to_host()) loss += static_cast<double>(sample);
    for (const int32_t hit : correct.indices_to_host()) result.correct += hit;
    result.total += samples->range.count;
    if (options.progress) options.progress(result.total);
  }
  result.loss = result.total ? loss / static_cast<double>(result.total) : 0;
  return result;
}

}  // namespace crescendo
