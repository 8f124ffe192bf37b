#include "engine/tape.h"

#include <algorithm>

namespace crescendo {

int64_t Tape::ghost(int64_t n) const {
  if (options_.ghost == 0) return n;
  require(n % options_.ghost == 0, "tape: ", n, " images are not a whole number of ghost batches of ",
          options_.ghost);
  return options_.ghost;
}

Tensor Tape::record(const char* name, std::span<const Tensor> inputs, const Tensor& output,
                    Backward backward) {
  const std::vector<Tensor> all(inputs.begin(), inputs.end());
  record(name, std::span(&all, 1), std::span(&output, 1),
         [backward = std::move(backward)](std::span<const Tensor> gradients) { backward(gradients[0]); });
  return output;
}

void Tape::record(const char* name, std::span<const std::vector<Tensor>> inputs,
                  std::span<const Tensor> outputs, SharedBackward backward) {
  if (observer)
    for (size_t i = 0; i < outputs.size(); ++i) observer(name, inputs[i], outputs[i]);
  if (!training_) return;
  const auto needs_gradient = [](const std::vector<Tensor>& tensors) {
    return std::any_of(tensors.begin(), tensors.end(), [](const Tensor& x) { return x.needs_gradient(); });
  };
  if (std::none_of(inputs.begin(), inputs.end(), needs_gradient)) return;
  Record record{.input_gradients = {}, .output_gradients = {}, .backward = std::move(backward)};
  if (completed) count_uses(record, inputs);
  for (const Tensor& output : outputs) {
    output.set_needs_gradient(true);
    record.output_gradients.push_back(output.gradient_home());
  }
  records_.push_back(std::move(record));
}

void Tape::seed(const Tensor& output, double value) {
  const Tensor gradient = output.gradient_slot().gradient;
  const Device& device = output.device();
  if (gradient.element() == Element::activation)
    device.run(FillActivations{.n = gradient.size(), .value = value, .to = gradient.as_activations()});
  else
    device.run(Fill{.n = gradient.size(), .value = value, .to = gradient.as_reals()});
}

void Tape::backward(const Tensor& output, double value) {
  seed(output, value);
  run_backward();
}

void Tape::backward(const Tensor& output, const Tensor& output_gradient) {
  require(output_gradient.shape() == output.shape(), "backward: gradient of shape ", output_gradient.shape(),
          " for an output of shape ", output.shape());
  output.bind_gradient(output_gradient);
  output.gradient_slot();  // counts as written
  run_backward();
}

void Tape::Record::run() const {
  // A single gradient is passed without a copy of its handle, so that the receiver may take over its memory.
  if (output_gradients.size() == 1) {
    if (output_gradients[0]->written) backward(std::span(&output_gradients[0]->home, 1));
    return;
  }
  std::vector<Tensor> gradients;
  gradients.reserve(output_gradients.size());
  for (const auto& gradient : output_gradients)
    gradients.push_back(gradient->written ? gradient->home : Tensor());
  if (std::any_of(gradients.begin(), gradients.end(), [](const Tensor& dy) { return dy.defined(); }))
    backward(gradients);
}

void Tape::run_backward() {
  while (!records_.empty()) {
    Record record = std::move(records_.back());
    records_.pop_back();
    record.run();
    note_used(record);
  }
}

void Tape::count_uses(Record& record, std::span<const std::vector<Tensor>> inputs) {
  for (const std::vector<Tensor>& tensors : inputs)
    for (const Tensor& input : tensors)
      if (input.needs_gradient()) record.input_gradients.push_back(input.gradient_home());
  for (const auto& gradient : record.input_gradients) ++uses_[gradient.get()];
}

void Tape::note_used(const Record& record) {
  for (const auto& gradient : record.input_gradients)
    if (--uses_[gradient.get()] == 0 && gradient->written) completed(gradient->home);
}

}  // namespace crescendo
