#include "trainer/step/update_sums.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace crescendo {
namespace {

constexpr int64_t kBucket = int64_t{1} << 19;  // sums exchanged together: 4 MiB

}  // namespace

Tensor zeros(const Device& device, int64_t size) {
  Tensor flat = Tensor::reals(device, {size});
  device.run(Fill{.n = size, .value = 0, .to = flat.as_reals()});
  return flat;
}

void write_sum_of_squares(const Tensor& flat, double* sum) {
  flat.device().run(SumOfSquares{.n = flat.size(), .x = flat.as_reals(), .result = sum});
}

UpdateSums::UpdateSums(ParameterStore& parameters, const TrainOptions& options, int64_t micro_batch)
    : parameters_(parameters), options_(options), counters_(device()), square_(device()) {
  constexpr int64_t kCounts = sizeof(UpdateCounts) / sizeof(int64_t);
  const int64_t statistics = parameters.statistic_values().size();
  if (options.exact_sum) exact_size_ = parameters.size() + statistics;
  exact_ = Tensor::sums(device(), {exact_size_ + kCounts});
  if (takes_ghosts() && micro_batch > options.ghost_batch)
    parameters.allocate_ghost_gradients(micro_batch / options.ghost_batch);
  if (options.exact_sum)
    parameters.bind_statistic_sums(exact_.view(parameters.size(), {statistics}, Element::sum));
  else if (options.noise_scale)
    total_ = zeros(device(), parameters.size());
}

void UpdateSums::connect(Communicator& workers) {
  if (workers.size() == 1) return;
  if (!options_.exact_sum) throw std::logic_error("update sums: several workers need exact sums");
  exchange_ = device().backend().open_exchange(workers);
  buckets_.emplace(parameters_, exact_.size(), kBucket);
}

void UpdateSums::restart(const SampleSums& counts) {
  counters_.set({.correct = counts.correct, .loss = counts.loss});
  const UpdateCounts none;
  device().backend().upload(&none, this->counts(), sizeof none);
  position_ = -1;
}

void UpdateSums::begin(const SampleRange& update, int64_t position) {
  parameters_.forget_gradients();
  ghosts_ = update.count / options_.ghost_batch;
  device().run(BeginUpdate{.first = update.first,
                           .position = position,
                           .ghosts = ghosts_,
                           .n = exact_size_,
                           .sums = exact_.as_sums(),
                           .counters = counters(),
                           .counts = counts()});
  position_ = position;
  if (buckets_) buckets_->restart();
  if (total_.defined()) device().run(Fill{.n = total_.size(), .value = 0, .to = total_.as_reals()});
}

void UpdateSums::add_ghosts(int64_t ghosts) {
  if (options_.noise_scale) add_squares(ghosts);
  if (options_.exact_sum) return add_to_sums(0, parameters_.size(), ghosts);
  for (int64_t ghost = 0; ghost < ghosts; ++ghost)
    device().run(Blend{.n = total_.size(),
                       .keep = 1,
                       .weight = 1,
                       .from = parameters_.ghost_gradient(ghost).as_reals(),
                       .to = total_.as_reals()});
}

void UpdateSums::add_to_sums(int64_t begin, int64_t end, int64_t ghosts) {
  device().run(AddToSums{.n = end - begin,
                         .ghosts = ghosts,
                         .ghost_stride = parameters_.size(),
                         .unit = gradient_unit(options_.ghost_batch),
                         .gradients = parameters_.gradients().as_reals() + begin,
                         .sums = exact_.as_sums() + begin,
                         .counters = counters(),
                         .counts = counts()});
}

void UpdateSums::add_complete(const Tensor& gradient, int64_t ghosts) {
  if (gradient.element() != Element::real) return;
  const int64_t offset = gradient.as_reals() - parameters_.gradients().as_reals();
  if (offset < 0 || offset >= parameters_.size()) return;  // not a parameter's
  buckets_->complete(offset, gradient.size(), [&](const SumBuckets::Bucket& bucket) {
    add_to_sums(bucket.begin, bucket.end, ghosts);
    device().backend().call_host(
        [this] { buckets_->send_next([this](const SumBuckets::Bucket& next) { start_exchange(next); }); });
  });
}

void UpdateSums::add_rest(int64_t ghosts) {
  for (const SumBuckets::Bucket& bucket : buckets_->rest())
    add_to_sums(bucket.begin, std::min(bucket.end, parameters_.size()), ghosts);
  if (options_.noise_scale) add_squares(ghosts);
}

void UpdateSums::start_exchange(const SumBuckets::Bucket& bucket) {
  exchange_->start(exact_.as_sums() + bucket.begin, bucket.end - bucket.begin);
}

void UpdateSums::add_squares(int64_t ghosts) {
  const auto samples = static_cast<double>(options_.ghost_batch);
  for (int64_t ghost = 0; ghost < ghosts; ++ghost) {
    write_sum_of_squares(parameters_.ghost_gradient(ghost), square_.address());
    device().run(AddSquare{.scale = 1 / (samples * samples),
                           .square = square_.address(),
                           .counters = counters(),
                           .counts = counts()});
  }
}

double UpdateSums::gradient_bound() const {
  return options_.exact_sum ? gradient_format(gradient_unit(options_.ghost_batch), ghosts_).bound
                            : std::numeric_limits<double>::infinity();
}

void UpdateSums::finish(double momentum) {
  if (exchange_) {
    buckets_->send_rest([&](const SumBuckets::Bucket& bucket) { start_exchange(bucket); });
    exchange_->finish();
  }
  const Tensor& sums = gradients();
  if (!options_.exact_sum)
    device().run(CheckFinite{.n = sums.size(), .gradients = sums.as_reals(), .counts = counts()});
  device().run(EndUpdate{.counters = counters(), .counts = counts()});
  if (options_.exact_sum) {
    device().run(TakeSums{.n = sums.size(),
                          .unit = gradient_unit(options_.ghost_batch),
                          .keep = 0,
                          .sums = exact_.as_sums(),
                          .to = sums.as_reals(),
                          .counters = counters()});
    take_statistics(momentum);
  } else if (options_.running_statistics == RunningStatistics::mean_of_ghosts) {
    blend_statistics(momentum);
  }
}

// running = (1 - momentum) * running + momentum * mean over the update's ghost batches
void UpdateSums::blend_statistics(double momentum) {
  const Tensor& pending = parameters_.statistic_pending();
  device().run(Blend{.n = pending.size(),
                     .keep = 1 - momentum,
                     .weight = momentum / static_cast<double>(ghosts_),
                     .from = pending.as_reals(),
                     .to = parameters_.statistic_values().as_reals()});
  device().run(Fill{.n = pending.size(), .value = 0, .to = pending.as_reals()});
}

// The sums hold each ghost batch with its weight (AddStatistics); the old values have what is left of 1.
void UpdateSums::take_statistics(double momentum) {
  const bool mean = options_.running_statistics == RunningStatistics::mean_of_ghosts;
  const Tensor& pending = parameters_.statistic_pending();
  device().run(TakeSums{.n = pending.size(),
                        .unit = kStatisticUnit,
                        .keep = whole_power(1 - momentum, mean ? 1 : ghosts_),
                        .sums = pending.as_sums(),
                        .to = parameters_.statistic_values().as_reals(),
                        .counters = counters()});
}

std::vector<int64_t> UpdateSums::exact_values() const {
  std::vector<int64_t> values(static_cast<size_t>(exact_.size()));
  device().backend().download(exact_.as_sums(), values.data(), values.size() * sizeof(int64_t));
  return values;
}

UpdateCounts* UpdateSums::counts() const {
  return reinterpret_cast<UpdateCounts*>(exact_.as_sums() + exact_size_);
}

UpdateCounts UpdateSums::count_values() const {
  UpdateCounts values;
  device().backend().download(counts(), &values, sizeof values);
  return values;
}

void UpdateSums::move_to(int64_t position) {
  if (position == position_) return;
  device().backend().upload(&position, &counters_.address()->position, sizeof position);
  position_ = position;
}

}  // namespace crescendo
