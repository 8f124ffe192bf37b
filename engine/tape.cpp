#include "engine/tape.h"

namespace crescendo {

int64_t Tape::ghost(int64_t n) const {
  if (options_.ghost == 0) return n;
  require(n % options_.ghost == 0, "tape: ", n, " images are not a whole number of ghost batches of ",
          options_.ghost);
  return options_.ghost;
}

Tensor Tape::record(const char* name, std::span<const Tensor> inputs, const Tensor& output,
                    Backward backward) {
  if (observer) observer(name, inputs, output);
  if (!training_) return output;
  for (const Tensor& input : inputs) {
    if (!input.needs_gradient()) continue;
    output.set_needs_gradient(true);
    records_.push_back({output.gradient_home(), std::move(backward)});
    break;
  }
  return output;
}

void Tape::seed(const Tensor& output, double value) {
  const Tensor gradient = output.gradient_slot().gradient;
  Backend& kernels = output.device().kernels();
  if (gradient.element() == Element::activation)
    kernels.fill_activations(gradient.size(), value, gradient.as_activations());
  else
    kernels.fill(gradient.size(), value, gradient.as_reals());
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

void Tape::run_backward() {
  while (!records_.empty()) {
    Record record = std::move(records_.back());
    records_.pop_back();
    if (record.output_gradient->written) record.backward(record.output_gradient->home);
  }
}

}  // namespace crescendo
