// export_fixture MODEL SIDE FOLDER [WEIGHTS]: exports a model, with made-up weights or those of a
// safetensors file, to FOLDER/weights.safetensors and FOLDER/model.onnx. Writes a few images and their
// logits in evaluation to FOLDER/values.safetensors, in PyTorch's layout. MODEL may end in "-without-scale".
// A build without ONNX writes no model.onnx.
#include <filesystem>
#include <iostream>

#include "golden/golden_values.h"
#include "trainer/cli/onnx.h"
#include "trainer/store/checkpoint.h"
#include "trainer/store/pytorch_file.h"
#include "trainer/store/stored_weights.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

constexpr int64_t kImages = 3, kClasses = 10;
const std::string kWithoutScale = "-without-scale";

// An auxiliary head is there to be left out.
std::unique_ptr<Model> make(std::string name, bool auxiliary) {
  ModelOptions options{.classes = kClasses, .norm_momentum = 0.5, .auxiliary_weight = 0, .dropout_keep = 1};
  if (name.ends_with(kWithoutScale)) {
    options.norm_scale = false;
    name.resize(name.size() - kWithoutScale.size());
  }
  if (auxiliary && name.starts_with("inception")) options.auxiliary_weight = 0.4;
  auto model = make_model(name, options);
  model->parameters.allocate(Device::cpu());
  model->parameters.initialise(1);
  return model;
}

Tensor make_images(const Device& device, int64_t side) {
  const Tensor images = Tensor::activations(device, {kImages, side, side, 3});
  images.upload(golden_images(0, kImages, side));
  return images;
}

// Random weights and biases, and the running statistics of a step.
void fill(Model& model, const Tensor& images) {
  ParameterStore& store = model.parameters;
  uint32_t stream = 0;
  for (const auto& parameter : store.parameters()) {
    const int64_t size = parameter->shape.elements();
    const bool weight = parameter->kind == ParameterKind::weight;
    const double spread = weight ? golden_weight_scale(size / parameter->shape[0]) : 0.25;
    std::vector<real> values;
    for (uint64_t i = 0; i < static_cast<uint64_t>(size); ++i)
      values.push_back(static_cast<real>(parameter->initial.value + spread * golden_value(stream, i)));
    store.upload(store.values(), parameter->offset, values);
    ++stream;
  }
  store.refresh_weight_copy();
  Tape tape = Tape::training();
  model.forward(tape, images);
}

void write_values(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& tensors) {
  std::vector<StoredTensor> stored;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    stored.push_back({name, kStoredReal, tensor.shape().sizes()});
    const std::vector<real> values = tensor.to_host();
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(real));
  }
  write_durably(path, safetensors_prefix(stored, {{"layout", "n h w c"}}) + data);
}

void write_onnx(const Model& model, int64_t side, const std::string& path) {
  try {
    write_durably(path, onnx_bytes(trace(model, {side, side, 3})));
  } catch (const std::invalid_argument& error) {
    std::cerr << error.what() << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 3) return 2;
  const std::string folder = words[2];
  const int64_t side = std::stoll(words[1]);
  const auto model = make(words[0], words.size() == 3);
  const Tensor images = make_images(model->parameters.values().device(), side);
  if (words.size() > 3)
    load_weights(words[3], model->parameters);
  else
    fill(*model, images);
  save_for_pytorch(folder + "/weights.safetensors", *model);
  write_onnx(*model, side, folder + "/model.onnx");
  Tape tape = Tape::off();
  write_values(folder + "/values.safetensors",
               {{"images", images}, {"logits", model->forward(tape, images)}});
}
