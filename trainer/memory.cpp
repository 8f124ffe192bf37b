#include "trainer/memory.h"

#include "kernels/dry_run.h"
#include "trainer/gradient_sum.h"
#include "trainer/optimizer.h"

namespace crescendo {

int64_t micro_batch_size(const TrainOptions& options) {
  return options.micro_batch == 0 || options.noise_scale ? options.ghost_batch : options.micro_batch;
}

TrainingMemory training_memory(const TrainOptions& options, const ImageSize& image_size, int64_t classes) {
  const Device device = Device::dry_run(options.threads, options.convolution, options.instruction_set);
  const std::unique_ptr<Model> model =
      make_model(options.model, {.classes = classes, .image_channels = image_size.channels});
  model->parameters.allocate(device);
  Optimizer optimizer(options, model->parameters);
  GradientSum gradients(options, *model, image_size, device);

  TrainingMemory memory;
  memory.parameter_bytes = static_cast<int64_t>(device.memory().use().in_use);
  memory.micro_batch = micro_batch_size(options);
  LoadedSamples samples;
  samples.range = {0, memory.micro_batch};
  samples.images.resize(
      static_cast<size_t>(checked_product(memory.micro_batch, image_size.elements(), "micro-batch")));
  samples.labels.resize(static_cast<size_t>(memory.micro_batch));
  gradients.begin();
  for (int step = 0; step < 2; ++step) gradients.add(samples);
  memory.peak_bytes = static_cast<int64_t>(device.memory().use().peak);
  return memory;
}

std::vector<LayerCost> layer_costs(Model& model, const ImageSize& image_size) {
  const Device device = Device::dry_run();
  model.parameters.allocate(device);
  const auto& counter = dynamic_cast<const DryRunBackend&>(device.kernels());
  std::vector<LayerCost> layers;
  int64_t counted = 0;
  Tape tape = Tape::off();
  tape.observer = [&](const char* op, std::span<const Tensor> inputs, const Tensor& output) {
    LayerCost layer{.name = op, .output = output.shape()};
    for (const Tensor& input : inputs)
      for (const auto& parameter : model.parameters.parameters())
        if (input.is(parameter->value)) {
          layer.name = parameter->name.substr(0, parameter->name.rfind('.'));
          layer.parameters += parameter->shape.elements();
        }
    layer.multiply_adds = counter.forward_multiply_adds() - counted;
    counted += layer.multiply_adds;
    layers.push_back(layer);
  };
  model.forward(tape,
                Tensor::activations(device, {1, image_size.height, image_size.width, image_size.channels}));
  return layers;
}

}  // namespace crescendo
