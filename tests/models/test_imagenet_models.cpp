// ResNets and Inception-ResNet-v2: torchvision's and timm's names and shapes, parameter counts,
// multiply-adds, options, and errors.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "kernels/dry_run.h"
#include "models/model.h"
#include "support/tensors.h"
#include "support/tested_device.h"
#include "support/tracing_backend.h"

namespace crescendo::test {
namespace {

// Reads lines "name out in rows columns", PyTorch's order. Convolutions here are [out, rows, columns, in].
void check_names(const std::string& model_name, const std::string& file_name) {
  const auto model = make_model(model_name, {.classes = 1000});
  std::ifstream file(CRESCENDO_SOURCE_DIR "/tests/golden/" + file_name);
  std::string line;
  size_t i = 0;
  const auto& parameters = model->parameters.parameters();
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string name;
    std::vector<int64_t> sizes;
    words >> name;
    for (int64_t size = 0; words >> size;) sizes.push_back(size);
    if (sizes.size() == 4) sizes = {sizes[0], sizes[2], sizes[3], sizes[1]};
    REQUIRE(i < parameters.size());
    CHECK(parameters[i]->name == name);
    CHECK(parameters[i]->shape.sizes() == sizes);
    ++i;
  }
  CHECK(i == parameters.size());
}

int64_t parameter_count(const std::string& name, ModelOptions options = {}) {
  options.classes = 1000;
  return make_model(name, options)->parameters.parameter_count();
}

// Returns the multiply-adds of one image's forward pass, in evaluation or in training mode.
int64_t multiply_adds(const std::string& name, int64_t height, int64_t width, bool training = false,
                      const ModelOptions& options = {.classes = 1000}) {
  const Device device = Device::dry_run(Device::cpu());
  const auto model = make_model(name, options);
  model->parameters.allocate(device);
  Tape tape = training ? Tape::training() : Tape::off();
  model->outputs(tape, Tensor::activations(device, {1, height, width, 3}));
  return dynamic_cast<DryRunBackend&>(device.backend()).forward_multiply_adds();
}

// A backend that stores convolutions before their epilogues, as a GPU with cuDNN does.
struct StoresFirst final : DryRunBackend {
  using DryRunBackend::DryRunBackend;
  Capabilities capabilities() const override {
    Capabilities modelled = DryRunBackend::capabilities();
    modelled.finishes_before_storing = false;
    return modelled;
  }
};

// Returns the number of concatenated parts, or of their gradients, that a pass copies.
template <class DryBackend>
int64_t copies(const std::string& name, int64_t side, bool training) {
  const auto cpu = std::make_shared<Device>(Device::cpu());
  auto backend = std::make_unique<TracingBackend>(
      std::make_unique<DryBackend>(std::shared_ptr<const Backend>(cpu, &cpu->backend())), false);
  const TracingBackend& traced = *backend;
  const Device device(std::move(backend));
  const auto model = make_model(name, {.classes = 1000});
  model->parameters.allocate(device);
  Tape tape = training ? Tape::training() : Tape::off();
  const Tensor logits = model->forward(tape, Tensor::activations(device, {1, side, side, 3}));
  if (training) tape.backward(logits);
  CHECK((traced.count<MaxPool2dBackward>() > 0) == training);
  return traced.count<CopyChannels>();
}

const Parameter& parameter(const Model& model, const std::string& name) {
  for (const auto& candidate : model.parameters.parameters())
    if (candidate->name == name) return *candidate;
  throw std::invalid_argument("no parameter " + name);
}

// Returns the names of the scales that begin at zero among a ResNet's norms.
std::vector<std::string> zero_scales(const Model& model) {
  std::vector<std::string> names;
  for (const auto& candidate : model.parameters.parameters()) {
    const bool scale = candidate->kind == ParameterKind::norm && candidate->name.ends_with("weight");
    if (scale && candidate->initial.value == 0) names.push_back(candidate->name);
  }
  return names;
}

}  // namespace

TEST_CASE("inception-resnet-v2: no branch is copied, nor its gradient") {
  for (const bool training : {false, true}) {
    CAPTURE(training);
    CHECK(copies<DryRunBackend>("inception-resnet-v2", 299, training) == 0);
    CHECK(copies<StoresFirst>("inception-resnet-v2", 299, training) == 0);
  }
}

TEST_CASE("imagenet models: names, shapes and order are torchvision's and timm's") {
  check_names("resnet-18", "resnet_18_names.txt");
  check_names("resnet-50", "resnet_50_names.txt");
  check_names("inception-resnet-v2", "inception_resnet_v2_names.txt");
}

TEST_CASE("imagenet models: parameter counts") {
  CHECK(parameter_count("resnet-18") == 11689512);
  CHECK(parameter_count("resnet-34") == 21797672);
  CHECK(parameter_count("resnet-50") == 25557032);
  CHECK(parameter_count("resnet-101") == 44549160);
  CHECK(parameter_count("resnet-152") == 60192808);
  CHECK(parameter_count("inception-resnet-v2") == 55843464);
  CHECK(parameter_count("inception-resnet-v2", {.norm_scale = false}) == 55813192);
  // The auxiliary head: 1x1 and 5x5 convolutions, their norms, and the classifier.
  const int64_t auxiliary = 1088 * 128 + 2 * 128 + 25 * 128 * 768 + 2 * 768 + 768 * 1000 + 1000;
  CHECK(parameter_count("inception-resnet-v2", {.auxiliary_weight = 0.4}) == 55843464 + auxiliary);
}

TEST_CASE("imagenet models: multiply-adds") {
  CHECK(multiply_adds("resnet-18", 224, 224) == 1814073344);
  CHECK(multiply_adds("resnet-50", 224, 224) == 4089184256);
  CHECK(multiply_adds("inception-resnet-v2", 299, 299) == 13155794016);
  const ModelOptions auxiliary{.classes = 1000, .auxiliary_weight = 0.4};
  CHECK(multiply_adds("inception-resnet-v2", 299, 299, false, auxiliary) ==
        multiply_adds("inception-resnet-v2", 299, 299));
  CHECK(multiply_adds("inception-resnet-v2", 299, 299, true, auxiliary) ==
        multiply_adds("inception-resnet-v2", 299, 299, true) + 25 * 1088 * 128 + 25 * 128 * 768 + 768 * 1000);
}

TEST_CASE("imagenet models: sizes of images") {
  CHECK(multiply_adds("resnet-50", 1, 1) > 0);
  CHECK(multiply_adds("resnet-50", 225, 130) > 0);
  CHECK(multiply_adds("inception-resnet-v2", 75, 200) > 0);
  CHECK_THROWS_WITH(multiply_adds("inception-resnet-v2", 74, 200),
                    "inception-resnet-v2: needs images of at least 75 x 75, got [1, 74, 200, 3]");
  const ModelOptions auxiliary{.classes = 1000, .auxiliary_weight = 0.4};
  CHECK(multiply_adds("inception-resnet-v2", 75, 75, false, auxiliary) > 0);  // without the head
  CHECK(multiply_adds("inception-resnet-v2", 320, 299, true, auxiliary) > 0);
  CHECK_THROWS_WITH(multiply_adds("inception-resnet-v2", 298, 299, true, auxiliary),
                    "inception-resnet-v2: the auxiliary head needs images of at least 299 x 299");
}

TEST_CASE("imagenet models: initial values") {
  const auto model = make_model("resnet-50", {.classes = 1000});
  CHECK(parameter(*model, "fc.weight").initial.spread == 0.01);
  CHECK(parameter(*model, "conv1.weight").initial.spread == std::sqrt(2.0 / (7 * 7 * 3)));
  CHECK(zero_scales(*model).empty());
  const auto zeroed = make_model("resnet-50", {.zero_gamma = true});
  const std::vector<std::string> names = zero_scales(*zeroed);
  CHECK(names.size() == 3 + 4 + 6 + 3);
  for (const std::string& name : names) CHECK(name.ends_with("bn3.weight"));
  for (const std::string& name : zero_scales(*make_model("resnet-18", {.zero_gamma = true})))
    CHECK(name.ends_with("bn2.weight"));
}

TEST_CASE("imagenet models: norms without a scale are norms whose scale is one") {
  const Device device = tested_device();
  const Tensor images = random_activations(device, {2, 75, 75, 3}, 1);
  const auto run = [&](bool norm_scale) {
    const auto model = make_model("inception-resnet-v2", {.norm_scale = norm_scale, .dropout_keep = 1});
    ParameterStore& store = model->parameters;
    store.allocate(device);
    store.initialise(1);
    // Values drawn by name, so that both models have the same.
    for (const auto& item : store.parameters())
      if (item->kind == ParameterKind::weight) {
        const auto key = static_cast<uint32_t>(std::hash<std::string>()(item->name));
        std::vector<real> values = noise(item->shape.elements(), key);
        for (real& value : values) value *= static_cast<real>(item->initial.spread);
        store.upload(store.values(), item->offset, values);
      }
    store.refresh_weight_copy();
    Tape tape = Tape::training();
    const Tensor logits = model->forward(tape, images);
    tape.backward(logits);
    store.require_gradients();
    std::vector<real> gradients;
    for (const auto& item : store.parameters()) {
      if (item->kind == ParameterKind::norm && item->name.ends_with("weight")) continue;
      const auto part = store.download(store.gradients(), item->offset, item->shape.elements());
      gradients.insert(gradients.end(), part.begin(), part.end());
    }
    return std::pair(logits.to_host(), gradients);
  };
  const auto [logits, gradients] = run(false);
  const auto [expected_logits, expected_gradients] = run(true);
  CHECK(logits == expected_logits);
  CHECK(gradients == expected_gradients);
}

TEST_CASE("imagenet models: micro-batches change no bit") {
  const Device device = tested_device();
  constexpr int64_t kBatch = 4, kGhost = 2;
  const auto gradients = [&](const std::string& name, int64_t side, int64_t micro_batch) {
    const auto model = make_model(name, {.dropout_keep = 1});
    model->parameters.allocate(device);
    model->parameters.initialise(1);
    const Tensor images = random_activations(device, {kBatch, side, side, 3}, 1);
    for (int64_t first = 0; first < kBatch; first += micro_batch) {
      Tape tape = Tape::training({.ghost = kGhost});
      const Tensor logits = model->forward(
          tape, images.view(first * side * side * 3, {micro_batch, side, side, 3}, Element::activation));
      const std::vector<int32_t> labels(static_cast<size_t>(micro_batch), static_cast<int32_t>(1));
      tape.backward(softmax_cross_entropy(tape, logits, make_indices(device, labels)).losses);
    }
    return std::pair(model->parameters.gradients().to_host(), model->parameters.statistic_values().to_host());
  };
  CHECK(gradients("resnet-50", 33, kGhost) == gradients("resnet-50", 33, kBatch));
  CHECK(gradients("inception-resnet-v2", 75, kGhost) == gradients("inception-resnet-v2", 75, kBatch));
}

TEST_CASE("imagenet models: dropout drops in training") {
  const Device device = tested_device();
  const Tensor images = random_activations(device, {2, 75, 75, 3}, 1);
  const auto logits = [&](double keep) {
    const auto model = make_model("inception-resnet-v2", {.dropout_keep = keep});
    model->parameters.allocate(device);
    model->parameters.initialise(1);
    Tape tape = Tape::training();
    return model->forward(tape, images).to_host();
  };
  CHECK(logits(0.8) != logits(1));
}

TEST_CASE("imagenet models: options that a model does not have are rejected") {
  CHECK_THROWS_WITH(make_model("resnet-20"),
                    "model resnet-20: expected resnet-18, resnet-34, resnet-50, resnet-101 or resnet-152");
  CHECK_THROWS_AS(make_model("resnet-"), std::invalid_argument);
  CHECK_THROWS_AS(make_model("resnet-50x"), std::invalid_argument);
  CHECK_THROWS_AS(make_model("inception-resnet-v3"), std::invalid_argument);
  CHECK_THROWS_AS(make_model("resnet-50", {.classes = 1}), std::invalid_argument);
  for (const std::string name : {"wrn-16-4", "inception-resnet-v2"})
    CHECK_THROWS_AS(make_model(name, {.zero_gamma = true}), std::invalid_argument);
  for (const std::string name : {"wrn-16-4", "resnet-50"}) {
    CHECK_THROWS_AS(make_model(name, {.norm_scale = false}), std::invalid_argument);
    CHECK_THROWS_AS(make_model(name, {.auxiliary_weight = 0.4}), std::invalid_argument);
  }
}

}  // namespace crescendo::test
