#include "trainer/gradient_sum.h"

#include <algorithm>
#include <cmath>

#include "trainer/device_batch.h"

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

GradientSum::GradientSum(const TrainOptions& options, const Model& model, const ImageSize& image_size,
                         const Device& device)
    : options_(options),
      model_(model),
      image_size_(image_size),
      device_(device),
      squared_(device),
      nonfinite_(device) {
  if (!options.noise_scale) return;
  total_ = zeros(device, model.parameters.size());
  pair_ = zeros(device, model.parameters.size());
}

void GradientSum::begin() {
  sums_ = {};
  range_ = {};
  ghosts_ = 0;
  ghost_squares_ = 0;
  model_.parameters.forget_gradients();
  if (options_.noise_scale) device_.kernels().fill(total_.size(), 0, total_.as_reals());
}

void GradientSum::add(const LoadedSamples& samples) {
  if (range_.count == 0) range_.first = samples.range.first;
  range_.count += samples.range.count;
  ghosts_ += samples.range.count / options_.ghost_batch;
  if (options_.noise_scale) model_.parameters.forget_gradients();
  forward_backward(samples);
  if (options_.noise_scale) add_ghost();
}

TapeOptions GradientSum::tape_options(const SampleRange& range) const {
  return {.ghost = options_.ghost_batch,
          .running_statistics = options_.running_statistics,
          .seed = options_.seed,
          .first_image = static_cast<uint64_t>(range.first)};
}

void GradientSum::forward_backward(const LoadedSamples& samples) {
  Tape tape = Tape::training(tape_options(samples.range));
  const DeviceBatch batch(device_, image_size_, samples);
  const auto [losses, correct] =
      softmax_cross_entropy(tape, model_.forward(tape, batch.images), batch.labels, options_.label_smoothing);
  // Sample by sample in double: the sum does not depend on the cut into micro-batches.
  double loss = sums_.loss;
  for (const real sample : losses.to_host()) loss += static_cast<double>(sample);
  if (!std::isfinite(loss)) explain(samples);
  sums_.loss = loss;
  for (const int32_t hit : correct.indices_to_host()) sums_.correct += hit;
  sums_.samples += samples.range.count;
  tape.backward(losses);
}

// The forward pass again, watched op by op.
void GradientSum::explain(const LoadedSamples& samples) const {
  std::string first = "softmax_cross_entropy";
  bool found = false;
  Tape tape = Tape::training(tape_options(samples.range));
  tape.observer = [&](const char* op, std::span<const Tensor> inputs, const Tensor& output) {
    if (found || all_finite(output.to_host())) return;
    found = true;
    first = layer_name(model_, op, inputs);
  };
  const DeviceBatch batch(device_, image_size_, samples);
  const bool bad_input = !all_finite(batch.images.to_host());
  model_.forward(tape, batch.images);
  throw NonFiniteError(join("the loss of ", samples_text(samples.range),
                            " is not finite; the first layer to go wrong is ",
                            bad_input ? "the input" : first));
}

void GradientSum::add_ghost() {
  Backend& kernels = device_.kernels();
  const Tensor& gradients = model_.parameters.gradients();
  ghost_squares_ += squared_norm(gradients);
  kernels.blend(total_.size(), 1, 1, gradients.as_reals(), total_.as_reals());
}

double GradientSum::squared_norm(const Tensor& flat) const {
  device_.kernels().sum_of_squares(flat.size(), flat.as_reals(), squared_.place());
  return squared_.value();
}

const Tensor& GradientSum::finish() {
  const ParameterStore& store = model_.parameters;
  store.require_gradients();
  const Tensor& gradients = options_.noise_scale ? total_ : store.gradients();
  device_.kernels().first_nonfinite(gradients.size(), gradients.as_reals(), nonfinite_.place());
  if (nonfinite_.value() < gradients.size()) {
    // Backward ran from the last layer to the first, so the last parameter affected is where it began.
    std::string first;
    for (const auto& parameter : store.parameters())
      if (!all_finite(store.download(gradients, parameter->offset, parameter->shape.elements())))
        first = parameter->name;
    throw NonFiniteError(join("the gradient of ", samples_text(range_),
                              " is not finite; the first layer to go wrong ",
                              "in the backward pass is that of ", first));
  }
  if (options_.running_statistics == RunningStatistics::mean_of_ghosts) blend_statistics();
  if (options_.noise_scale) observe_noise();
  return gradients;
}

// running = (1 - momentum) * running + momentum * mean over the update's ghosts
void GradientSum::blend_statistics() {
  const Tensor& pending = model_.parameters.statistic_pending();
  const double momentum = model_.options.norm_momentum;
  Backend& kernels = device_.kernels();
  kernels.blend(pending.size(), 1 - momentum, momentum / static_cast<double>(ghosts_), pending.as_reals(),
                model_.parameters.statistic_values().as_reals());
  kernels.fill(pending.size(), 0, pending.as_reals());
}

void GradientSum::observe_noise() {
  Backend& kernels = device_.kernels();
  const auto ghost = static_cast<double>(options_.ghost_batch);
  const auto mean_square = [&](double sum_square, double samples) {
    return sum_square / (samples * samples);
  };
  if (ghosts_ > 1) {
    const auto ghosts = static_cast<double>(ghosts_);
    noise_scale.observe(mean_square(ghost_squares_ / ghosts, ghost), options_.ghost_batch,
                        mean_square(squared_norm(total_), ghosts * ghost), ghosts_ * options_.ghost_batch);
    pair_waiting = false;
    return;
  }
  if (!pair_waiting) {
    kernels.blend(pair_.size(), 0, 1, total_.as_reals(), pair_.as_reals());
    pair_waiting = true;
    return;
  }
  const double small = (squared_norm(pair_) + ghost_squares_) / 2;
  kernels.blend(pair_.size(), 1, 1, total_.as_reals(), pair_.as_reals());
  noise_scale.observe(mean_square(small, ghost), options_.ghost_batch,
                      mean_square(squared_norm(pair_), 2 * ghost), 2 * options_.ghost_batch);
  pair_waiting = false;
}

}  // namespace crescendo
