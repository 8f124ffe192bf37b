#include "trainer/step/gradient_sum.h"

#include <algorithm>
#include <cmath>

namespace crescendo {
namespace {

bool all_finite(const std::vector<real>& values) {
  return std::all_of(values.begin(), values.end(), [](real value) { return std::isfinite(value); });
}

std::string layer_of(const Parameter& parameter) {
  return parameter.name.substr(0, parameter.name.rfind('.'));
}

// The layer whose parameter is among an op's inputs, or the op itself.
std::string layer_name(const Model& model, const char* op, std::span<const Tensor> inputs) {
  for (const Tensor& input : inputs)
    for (const auto& parameter : model.parameters.parameters())
      if (input.is(parameter->value)) return join(layer_of(*parameter), " (", op, ")");
  return op;
}

std::string samples_text(const SampleRange& range) {
  return join("samples ", range.first, " to ", range.first + range.count - 1);
}

Tensor zeros(const Device& device, int64_t size) {
  Tensor flat = Tensor::reals(device, {size});
  device.kernels().fill(size, 0, flat.as_reals());
  return flat;
}

}  // namespace

GradientSum::GradientSum(const TrainOptions& options, int64_t micro_batch, const Model& model,
                         const ImageSize& image_size, const Device& device, OpenBatches open)
    : options_(options),
      micro_batch_(micro_batch),
      model_(model),
      image_size_(image_size),
      device_(device),
      open_(std::move(open)),
      counters_(device),
      squares_(device) {
  if (!options.noise_scale) return;
  total_ = zeros(device, model.parameters.size());
  pair_ = zeros(device, model.parameters.size());
}

void GradientSum::start(SampleRanges ranges, const SampleSums& sums) {
  batches_ = open_(std::move(ranges));
  sums_ = sums;
  range_ = {};
  finished_.clear();
  counters_.set({.correct = sums.correct, .loss = sums.loss});
  position_ = -1;
}

void GradientSum::begin() {
  range_ = {};
  model_.parameters.forget_gradients();
  if (options_.noise_scale) device_.kernels().fill(total_.size(), 0, total_.as_reals());
}

void GradientSum::add(const SampleRange& range) {
  const bool first = range_.count == 0;
  const DeviceBatch& batch = input(range.count);
  Replay& step = steps_.try_emplace({range.count, first}, device_).first->second;
  if (options_.noise_scale) model_.parameters.forget_gradients();
  batches_->prepare(range, batch);
  go_to(range.first);
  const bool replayed = step.run([&] {
    batches_->write(counters_.place(), batch);
    forward_backward(batch);
    if (options_.noise_scale) add_ghost(first ? Write::overwrite : Write::add);
  });
  if (replayed) model_.parameters.note_gradients();
  if (first) range_.first = range.first;
  range_.count += range.count;
  position_ += range.count;
  sums_.samples += range.count;
}

// What is kept from now on may lie where captured steps had what they gave back: they are captured anew.
const DeviceBatch& GradientSum::input(int64_t samples) {
  const auto [found, made] = inputs_.try_emplace(samples, device_, image_size_, samples);
  if (made) steps_.clear();
  return found->second;
}

// Moves the device's position where the samples do not follow on those before them.
void GradientSum::go_to(int64_t position) {
  if (position == position_) return;
  device_.kernels().upload(&position, &counters_.place()->position, sizeof position);
  position_ = position;
}

TapeOptions GradientSum::tape_options() const {
  return {.ghost = options_.ghost_batch,
          .running_statistics = options_.running_statistics,
          .seed = options_.seed,
          .counters = counters_.place()};
}

// The loss of an auxiliary head is part of the gradient alone, with its weight.
CrossEntropy GradientSum::forward(Tape& tape, const DeviceBatch& batch) const {
  const auto [logits, auxiliary] = model_.outputs(tape, batch.images);
  if (auxiliary.defined())
    tape.seed(softmax_cross_entropy(tape, auxiliary, batch.labels, options_.label_smoothing).losses,
              model_.options.auxiliary_weight);
  return softmax_cross_entropy(tape, logits, batch.labels, options_.label_smoothing);
}

void GradientSum::forward_backward(const DeviceBatch& batch) {
  Tape tape = Tape::training(tape_options());
  const auto [losses, correct] = forward(tape, batch);
  tape.backward(losses);
  device_.kernels().count_samples({.n = losses.size(), .ghost = options_.ghost_batch}, losses.as_reals(),
                                  correct.as_indices(), counters_.place());
}

const Tensor& GradientSum::finish() {
  const ParameterStore& store = model_.parameters;
  store.require_gradients();
  const Tensor& gradients = options_.noise_scale ? total_ : store.gradients();
  device_.kernels().check_finite(gradients.size(), gradients.as_reals(), counters_.place());
  if (options_.running_statistics == RunningStatistics::mean_of_ghosts) blend_statistics();
  if (options_.noise_scale) observe_noise();
  finished_.push_back(range_);
  return gradients;
}

// ---- Reading

const SampleSums& GradientSum::read() {
  const StepCounters now = counters_.value();
  const auto stopped = std::find_if(finished_.begin(), finished_.end(), [&](const SampleRange& update) {
    return update.first + update.count == now.stopped_at;
  });
  if (stopped != finished_.end())
    throw NonFiniteError(explain(*stopped), *stopped, finished_.end() - stopped);
  if (!std::isfinite(now.loss)) throw NonFiniteError(explain(range_), range_, 0);
  sums_.loss = now.loss;
  sums_.correct = now.correct;
  finished_.clear();
  return sums_;
}

void GradientSum::reset() {
  sums_ = {};
  StepCounters now = counters_.value();
  now.loss = 0;
  now.correct = 0;
  counters_.set(now);
}

// The update again, micro-batch by micro-batch, looked at after each.
std::string GradientSum::explain(const SampleRange& update) {
  MicroBatches micro_batches(update, micro_batch_);
  const auto batches = open_(micro_batches);
  model_.parameters.forget_gradients();
  while (const std::optional<SampleRange> range = micro_batches()) {
    const DeviceBatch batch(device_, image_size_, range->count);
    batches->prepare(*range, batch);
    go_to(range->first);
    batches->write(counters_.place(), batch);
    Tape tape = Tape::training(tape_options());
    const Tensor losses = forward(tape, batch).losses;
    if (!all_finite(losses.to_host())) return explain_loss(batch, *range);
    tape.backward(losses);
  }
  return explain_gradient(update);
}

// The forward pass again, watched op by op.
std::string GradientSum::explain_loss(const DeviceBatch& batch, const SampleRange& range) const {
  std::string first = "softmax_cross_entropy";
  bool found = false;
  Tape tape = Tape::training(tape_options());
  tape.observer = [&](const char* op, std::span<const Tensor> inputs, const Tensor& output) {
    if (found || all_finite(output.to_host())) return;
    found = true;
    first = layer_name(model_, op, inputs);
  };
  const bool bad_input = !all_finite(batch.images.to_host());
  model_.outputs(tape, batch.images);
  return join("the loss of ", samples_text(range), " is not finite; the first layer to go wrong is ",
              bad_input ? "the input" : first);
}

// Backward runs from the last layer to the first, so the last parameter affected is where it began.
std::string GradientSum::explain_gradient(const SampleRange& update) const {
  const ParameterStore& store = model_.parameters;
  std::string first = "none when computed again";
  for (const auto& parameter : store.parameters())
    if (!all_finite(store.download(store.gradients(), parameter->offset, parameter->shape.elements())))
      first = parameter->name;
  return join("the gradient of ", samples_text(update), " is not finite; the first layer to go wrong ",
              "in the backward pass is that of ", first);
}

// ---- Running statistics and the noise scale

// running = (1 - momentum) * running + momentum * mean over the update's ghosts
void GradientSum::blend_statistics() {
  const Tensor& pending = model_.parameters.statistic_pending();
  const double momentum = model_.options.norm_momentum;
  const int64_t ghosts = range_.count / options_.ghost_batch;
  Backend& kernels = device_.kernels();
  kernels.blend(pending.size(), 1 - momentum, momentum / static_cast<double>(ghosts), pending.as_reals(),
                model_.parameters.statistic_values().as_reals());
  kernels.fill(pending.size(), 0, pending.as_reals());
}

void GradientSum::add_ghost(Write write) {
  const Tensor& gradients = model_.parameters.gradients();
  add_squares(gradients, &squares_.place()->ghosts, write);
  device_.kernels().blend(total_.size(), 1, 1, gradients.as_reals(), total_.as_reals());
}

void GradientSum::add_squares(const Tensor& flat, double* sum, Write write) const {
  device_.kernels().sum_of_squares(flat.size(), flat.as_reals(), sum, write);
}

void GradientSum::observe_noise() {
  Backend& kernels = device_.kernels();
  const auto ghost = static_cast<double>(options_.ghost_batch);
  const int64_t ghosts = range_.count / options_.ghost_batch;
  const auto observe = [&](double sum_of_squares, int64_t batches, double square_of_sum) {
    const auto n = static_cast<double>(batches);
    noise_scale.observe(sum_of_squares / (n * ghost * ghost), options_.ghost_batch,
                        square_of_sum / (n * ghost * n * ghost), batches * options_.ghost_batch);
  };
  if (ghosts > 1) {
    add_squares(total_, &squares_.place()->total, Write::overwrite);
    const Squares squares = squares_.value();
    observe(squares.ghosts, ghosts, squares.total);
    pair_waiting = false;
    return;
  }
  if (!pair_waiting) {
    kernels.blend(pair_.size(), 0, 1, total_.as_reals(), pair_.as_reals());
    pair_waiting = true;
    return;
  }
  add_squares(pair_, &squares_.place()->ghosts, Write::add);  // to that of this update's only ghost
  kernels.blend(pair_.size(), 1, 1, total_.as_reals(), pair_.as_reals());
  add_squares(pair_, &squares_.place()->total, Write::overwrite);
  const Squares squares = squares_.value();
  observe(squares.ghosts, 2, squares.total);
  pair_waiting = false;
}

}  // namespace crescendo
