#include "trainer/step/gradient_sum.h"

#include <algorithm>

#include "trainer/step/diagnosis.h"

namespace crescendo {

GradientSum::GradientSum(const TrainOptions& options, int64_t micro_batch, Model& model,
                         const ImageSize& image_size, const Device& device, OpenBatches open)
    : options_(options),
      micro_batch_(micro_batch),
      open_(std::move(open)),
      update_(model.parameters, options, micro_batch),
      step_(options, model, image_size, update_) {
  if (options.noise_scale) noise_.emplace(device, model.parameters.size(), options.ghost_batch);
}

void GradientSum::start(const SampleSums& sums) {
  batches_ = open_();
  sums_ = sums;
  range_ = {};
  finished_.clear();
  update_.restart(sums);
}

void GradientSum::begin(const SampleRange& update) {
  range_ = {};
  update_.begin(update);
}

void GradientSum::add(const SampleRange& range) {
  const bool first = range_.count == 0;
  step_.run(*batches_, range, first);
  if (first) range_.first = range.first;
  range_.count += range.count;
  sums_.samples += range.count;
}

const Tensor& GradientSum::finish() {
  update_.parameters().require_gradients();
  update_.finish(step_.model().options.norm_momentum);
  if (noise_) noise_->observe(update_, range_.count / options_.ghost_batch);
  finished_.push_back(range_);
  return update_.gradients();
}

const SampleSums& GradientSum::read() {
  const StepCounters now = update_.counter_values().value();
  const auto stopped = std::find_if(finished_.begin(), finished_.end(), [&](const SampleRange& update) {
    return update.first + update.count == now.stopped_at;
  });
  if (stopped != finished_.end())
    throw NonFiniteError(explain(*stopped), *stopped, finished_.end() - stopped);
  const UpdateCounts present = update_.count_values();
  if (present.bad != 0) throw NonFiniteError(explain(range_), range_, 0);
  sums_.loss = now.loss + kLossUnit * static_cast<double>(present.loss);
  sums_.correct = now.correct + present.correct;
  finished_.clear();
  return sums_;
}

void GradientSum::reset() {
  sums_ = {};
  StepCounters now = update_.counter_values().value();
  now.loss = 0;
  now.correct = 0;
  update_.counter_values().set(now);
}

std::string GradientSum::explain(const SampleRange& update) {
  const auto batches = open_();
  return explain_non_finite(step_, *batches, update,
                            update_.takes_ghosts() ? options_.ghost_batch : micro_batch_);
}

}  // namespace crescendo
