#include "trainer/step/diagnosis.h"

#include <algorithm>
#include <cmath>

#include "trainer/store/stored_weights.h"

namespace crescendo {
namespace {

// Returns the layer that owns one of an op's inputs as a parameter, or the op's name.
std::string layer_name(const Model& model, const char* op, std::span<const Tensor> inputs) {
  for (const Tensor& input : inputs)
    for (const auto& parameter : model.parameters.parameters())
      if (input.is(parameter->value)) return join(layer_of(parameter->name), " (", op, ")");
  return op;
}

std::string samples_text(const SampleRange& range) {
  return join("samples ", range.first, " to ", range.first + range.count - 1);
}

// Returns true if all magnitudes are below the bound; false for NaN.
bool all_below(const std::vector<real>& values, double bound) {
  return std::all_of(values.begin(), values.end(),
                     [&](real v) { return std::fabs(static_cast<double>(v)) < bound; });
}

// Runs the forward pass again and looks at the output of each op.
std::string explain_loss(const MicroStep& step, const DeviceBatch& batch, const SampleRange& range) {
  std::string first = "softmax_cross_entropy";
  bool found = false;
  Tape tape = Tape::training(step.tape_options());
  tape.observer = [&](const char* op, std::span<const Tensor> inputs, const Tensor& output) {
    if (found || all_finite(output.to_host())) return;
    found = true;
    first = layer_name(step.model(), op, inputs);
  };
  const bool bad_input = !all_finite(batch.images.to_host());
  step.model().outputs(tape, batch.images);
  return join("the loss of ", samples_text(range), " is not finite; the first layer to go wrong is ",
              bad_input ? "the input" : first);
}

// Returns the explanation of a gradient that is not below the bound, or an empty text if all are. The backward
// pass runs from the last layer to the first, so it went wrong at the last parameter affected.
std::string explain_gradient(const ParameterStore& store, const SampleRange& range, double bound) {
  std::string first;
  bool finite = true;
  for (const auto& parameter : store.parameters()) {
    const std::vector<real> gradient =
        store.download(store.gradients(), parameter->offset, parameter->shape.elements());
    if (all_below(gradient, bound)) continue;
    first = parameter->name;
    finite &= all_finite(gradient);
  }
  if (first.empty()) return "";
  return join("the gradient of ", samples_text(range), finite ? join(" reaches ", bound) : " is not finite",
              "; the first layer to go wrong in the backward pass is that of ", first);
}

}  // namespace

std::string explain_non_finite(MicroStep& step, Batches& batches, const SampleRange& update,
                               const SampleRange& share, int64_t micro_batch) {
  const UpdateSums& sums = step.sums();
  ParameterStore& parameters = sums.parameters();
  const double loss_bound = loss_format(update.count).bound;
  parameters.forget_gradients();
  MicroBatches micro_batches(share, micro_batch);
  while (const std::optional<SampleRange> range = micro_batches()) {
    const DeviceBatch batch = step.load(batches, *range);
    if (sums.takes_ghosts()) parameters.forget_gradients();
    Tape tape = Tape::training(step.tape_options());
    const Tensor losses = step.forward(tape, batch).losses;
    const std::vector<real> values = losses.to_host();
    if (!all_finite(values)) return explain_loss(step, batch, *range);
    if (!all_below(values, loss_bound))
      return join("a loss of ", samples_text(*range), " reaches ", loss_bound, ": the run has diverged");
    tape.backward(losses);
    if (!sums.takes_ghosts()) continue;
    const std::string explained = explain_gradient(parameters, *range, sums.gradient_bound());
    if (!explained.empty()) return explained;
  }
  return sums.takes_ghosts() ? "" : explain_gradient(parameters, update, sums.gradient_bound());
}

std::string explain_sum(const SampleRange& update) {
  return join("a sum over ", samples_text(update), " is not finite, or a norm's statistic reaches ",
              statistic_format().bound);
}

}  // namespace crescendo
