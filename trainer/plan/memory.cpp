#include "trainer/plan/memory.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "engine/packed_weights.h"
#include "kernels/dry_run.h"
#include "trainer/schedule/timeline.h"
#include "trainer/step/gradient_sum.h"
#include "trainer/step/optimizer.h"

namespace crescendo {
namespace {

// One part in kSpare of the free memory is left to the system and its libraries.
constexpr int64_t kSpare = 16;

// Batches that only hold their memory.
class DryBatches final : public Batches {
 public:
  explicit DryBatches(Tensor staged) : staged_(std::move(staged)) {}
  void prepare(const SampleRange&, const DeviceBatch&) override {}
  void write(const StepCounters*, const DeviceBatch&) override {}

 private:
  Tensor staged_;
};

std::set<int64_t> batches_of(const TrainOptions& options, int64_t train_images) {
  return possible_batches(Timeline(schedule_options(options, train_images)), options.ghost_batch);
}

// Returns the sizes of all micro-batches that updates of these batches are cut into.
std::set<int64_t> micro_batch_sizes(const std::set<int64_t>& batches, int64_t micro_batch) {
  std::set<int64_t> sizes;
  for (const int64_t batch : batches) {
    MicroBatches micro_batches({0, batch}, micro_batch);
    while (const auto range = micro_batches()) sizes.insert(range->count);
  }
  return sizes;
}

void evaluate_dry(const Model& model, const Device& device, const ImageSize& image_size,
                  PackedWeights& packed, int64_t n) {
  const DeviceScalar<StepCounters> counters(device);
  Tape tape = Tape::off({.packed_weights = &packed});
  const DeviceBatch batch(device, image_size, n);
  softmax_cross_entropy(tape, model.forward(tape, batch.images), batch.labels);
}

// Returns a tensor that takes as much memory as both sets.
Tensor resident_sets(const Device& device, const DatasetTraits& data) {
  const int64_t bytes = DeviceData::resident_bytes(data.train_images, data.image_size) +
                        DeviceData::resident_bytes(data.test_images, data.image_size);
  return Tensor::indices(device, {bytes / static_cast<int64_t>(sizeof(int32_t)) + 1});
}

int64_t largest_micro_batch(const TrainOptions& options, const Device& device, const DatasetTraits& data) {
  const auto free = static_cast<int64_t>(device.backend().free_memory());
  const auto fits = [&](int64_t ghosts) {
    return training_memory(options, device, data, ghosts * options.ghost_batch).peak_bytes <=
           free - free / kSpare;
  };
  const std::set<int64_t> batches = batches_of(options, data.train_images);
  int64_t most = batches.empty() ? 1 : *batches.rbegin() / options.ghost_batch;
  if (fits(most)) return most * options.ghost_batch;
  require(fits(1), "micro-batch: a ghost batch of ", options.ghost_batch, " images needs ",
          training_memory(options, device, data, options.ghost_batch).peak_bytes >> 20, " MiB, ", free >> 20,
          " MiB are free");
  int64_t least = 1;  // `least` fits and `most` does not; memory grows in between, except for remainders
  while (most - least > 1) {
    const int64_t middle = least + (most - least) / 2;
    (fits(middle) ? least : most) = middle;
  }
  return least * options.ghost_batch;
}

}  // namespace

int64_t micro_batch_size(const TrainOptions& options, const Device& device, const DatasetTraits& data) {
  if (options.micro_batch != 0) return options.micro_batch;
  if (device.backend().capabilities().is_host) return options.ghost_batch;
  return largest_micro_batch(options, device, data);
}

TrainingMemory training_memory(const TrainOptions& options, const Device& modelled, const DatasetTraits& data,
                               int64_t micro_batch) {
  const Device device = Device::dry_run(modelled);
  const std::unique_ptr<Model> model =
      make_model(options.model, model_options(options, data.classes, data.image_size.channels));
  model->parameters.allocate(device);
  Optimizer optimizer(options, model->parameters);
  const auto staged = [&](int64_t most) {
    return is_held_in_memory(options.data) ? Tensor() : staging(device, data.image_size, most);
  };
  Solo solo;
  GradientSum gradients(
      options, micro_batch, *model, data.image_size, device,
      [&] { return std::make_unique<DryBatches>(staged(micro_batch)); }, solo);
  TrainingMemory memory{.micro_batch = micro_batch};
  const int64_t sums = model->parameters.size() + model->parameters.statistic_values().size();
  memory.exchanged_bytes = sums * static_cast<int64_t>(sizeof(int64_t));
  memory.parameter_bytes = static_cast<int64_t>(device.memory().use().in_use);
  const bool resident = !modelled.backend().capabilities().is_host && is_held_in_memory(options.data);
  const Tensor sets = resident ? resident_sets(device, data) : Tensor();
  gradients.start({});
  const bool one_size = micro_batch == options.ghost_batch;
  const std::set<int64_t> batches = one_size ? std::set{micro_batch} : batches_of(options, data.train_images);
  for (const int64_t n : micro_batch_sizes(batches, micro_batch)) {
    gradients.begin({0, 2 * n}, {0, 2 * n});
    for (int step = 0; step < 2; ++step) gradients.add({0, n});
  }
  const Tensor evaluated = staged(std::min(micro_batch, data.test_images));
  PackedWeights packed;
  const std::set<int64_t> sizes = micro_batch_sizes({data.test_images}, micro_batch);
  for (auto n = sizes.rbegin(); n != sizes.rend(); ++n)  // whole micro-batches come first
    evaluate_dry(*model, device, data.image_size, packed, *n);
  memory.peak_bytes = static_cast<int64_t>(device.memory().use().peak);
  return memory;
}

namespace {

// A dry run that counts the multiply-adds of forward passes weight by weight.
class WeightCounter final : public DryRunBackend {
 public:
  using DryRunBackend::DryRunBackend;

  // Returns the multiply-adds with this weight so far.
  int64_t multiply_adds_of(const activation* weight) const {
    const auto found = counts_.find(weight);
    return found != counts_.end() ? found->second : 0;
  }

  void run(const KernelCall& call) override {
    if (const auto* convolution = std::get_if<Conv2dForward>(&call)) count(*convolution);
    if (const auto* siblings = std::get_if<SiblingConv2dForward>(&call))
      for (const SiblingConvolution& sibling : siblings->siblings) count(sibling);
    if (const auto* fused = std::get_if<NormConv2dForward>(&call))
      counts_[fused->weight] += fused->geometry.multiply_adds();
    if (const auto* linear = std::get_if<LinearForward>(&call))
      counts_[linear->weight] += linear->geometry.multiply_adds();
  }

 private:
  template <class Convolution>
  void count(const Convolution& convolution) {
    counts_[convolution.weight.values] += convolution.geometry.multiply_adds();
  }
  std::map<const activation*, int64_t> counts_;
};

}  // namespace

std::vector<LayerCost> layer_costs(Model& model, const ImageSize& image_size) {
  auto backend = std::make_unique<WeightCounter>(Device::cpu().shared_backend());
  const WeightCounter& counter = *backend;
  const Device device(std::move(backend));
  model.parameters.allocate(device);
  std::vector<LayerCost> layers;
  Tape tape = Tape::off();
  tape.observer = [&](const char* op, std::span<const Tensor> inputs, const Tensor& output) {
    LayerCost layer{.name = op, .output = output.shape()};
    for (const Tensor& input : inputs)
      for (const auto& parameter : model.parameters.parameters())
        if (input.is(parameter->value)) {
          layer.name = layer_of(parameter->name);
          layer.parameters += parameter->shape.elements();
          if (parameter->kind == ParameterKind::weight)
            layer.multiply_adds += counter.multiply_adds_of(input.as_activations());
        }
    layers.push_back(layer);
  };
  model.forward(tape,
                Tensor::activations(device, {1, image_size.height, image_size.width, image_size.channels}));
  return layers;
}

}  // namespace crescendo
