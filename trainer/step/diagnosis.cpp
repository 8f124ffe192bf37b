#include "trainer/step/diagnosis.h"

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

// The backward pass runs from the last layer to the first, so it went wrong at the last parameter affected.
std::string explain_gradient(const ParameterStore& store, const SampleRange& update) {
  std::string first = "none when computed again";
  for (const auto& parameter : store.parameters())
    if (!all_finite(store.download(store.gradients(), parameter->offset, parameter->shape.elements())))
      first = parameter->name;
  return join("the gradient of ", samples_text(update), " is not finite; the first layer to go wrong ",
              "in the backward pass is that of ", first);
}

}  // namespace

std::string explain_non_finite(MicroStep& step, Batches& batches, const SampleRange& update,
                               int64_t micro_batch) {
  ParameterStore& parameters = step.sums().parameters();
  parameters.forget_gradients();
  MicroBatches micro_batches(update, micro_batch);
  while (const std::optional<SampleRange> range = micro_batches()) {
    const DeviceBatch batch = step.load(batches, *range);
    Tape tape = Tape::training(step.tape_options());
    const Tensor losses = step.forward(tape, batch).losses;
    if (!all_finite(losses.to_host())) return explain_loss(step, batch, *range);
    tape.backward(losses);
  }
  return explain_gradient(parameters, update);
}

}  // namespace crescendo
