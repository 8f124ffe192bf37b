#include "trainer/step/gradient_sum.h"

#include <algorithm>

#include "base/xxh3.h"
#include "trainer/step/diagnosis.h"
#include "trainer/workers/together.h"

namespace crescendo {

GradientSum::GradientSum(const TrainOptions& options, int64_t micro_batch, Model& model,
                         const ImageSize& image_size, const Device& device, OpenBatches open,
                         Communicator& workers)
    : options_(options),
      micro_batch_(micro_batch),
      open_(std::move(open)),
      update_(model.parameters, options, micro_batch),
      step_(options, model, image_size, update_),
      workers_(workers) {
  if (options.noise_scale) noise_.emplace(device, model.parameters.size(), options.ghost_batch);
}

void GradientSum::start(const SampleSums& sums) {
  batches_ = open_();
  sums_ = sums;
  samples_ = sums.samples;
  range_ = {};
  finished_.clear();
  update_.restart(sums);
}

void GradientSum::begin(const SampleRange& update, const SampleRange& share) {
  present_ = {.whole = update, .share = share};
  range_ = {share.first, 0};
  if (workers_.size() > 1 && share.count > 0) batches_->expect(share, update.count);
  update_.begin(update, share.first);
}

void GradientSum::add(const SampleRange& range) {
  const int64_t share_end = present_.share.first + present_.share.count;
  step_.run(*batches_, range, {.first = range_.count == 0, .last = range.first + range.count == share_end});
  range_.count += range.count;
}

const Tensor& GradientSum::finish() {
  if (range_.count > 0) update_.parameters().require_gradients();
  update_.finish(step_.model().options.norm_momentum);
  if (noise_) noise_->observe(update_, present_.whole.count / options_.ghost_batch);
  finished_.push_back(present_);
  samples_ += present_.whole.count;
  range_.count = 0;
  return update_.gradients();
}

const SampleSums& GradientSum::read() {
  const StepCounters now = update_.counter_values().value();
  if (exchange() != nullptr) exchange()->check();
  const auto stopped = std::find_if(finished_.begin(), finished_.end(), [&](const Shared& update) {
    return update.whole.first == now.stopped_at;
  });
  if (stopped != finished_.end())
    throw NonFiniteError(explain(*stopped), stopped->whole, finished_.end() - stopped);
  const UpdateCounts present = update_.count_values();
  if (present.bad != 0) throw NonFiniteError(explain({range_, range_}), range_, 0);
  sums_ = {.loss = now.loss + kLossUnit * static_cast<double>(present.loss),
           .correct = now.correct + present.correct,
           .samples = samples_ + range_.count};
  finished_.clear();
  return sums_;
}

void GradientSum::reset() {
  sums_ = {};
  samples_ = 0;
  StepCounters now = update_.counter_values().value();
  now.loss = 0;
  now.correct = 0;
  update_.counter_values().set(now);
}

uint64_t GradientSum::digest_of_sums(const SampleRange& samples) {
  start({});
  update_.begin(samples, samples.first);
  step_.run(*batches_, samples, {.first = true, .last = false});
  const std::vector<int64_t> sums = update_.exact_values();
  return xxh3_64(sums.data(), sums.size() * sizeof(int64_t));
}

// The worker whose share went wrong explains it to all.
std::string GradientSum::explain(const Shared& update) {
  const auto batches = open_();
  const std::string mine = explain_non_finite(step_, *batches, update.whole, update.share,
                                              update_.takes_ghosts() ? options_.ghost_batch : micro_batch_);
  for (const std::string& text : gather_texts(workers_, mine))
    if (!text.empty()) return text;
  return explain_sum(update.whole);
}

}  // namespace crescendo
