// Compares ResNets and Inception-ResNet-v2 with torchvision's and timm's in double
// (tests/golden/make_imagenet_golden.py): logits, loss and all gradients of a training step, and logits in
// evaluation mode.
#include <doctest/doctest.h>

#include <limits>

#include "golden/golden_checks.h"
#include "models/model.h"
#include "support/tested_device.h"

namespace crescendo::test {
namespace {

const double kEpsilon = static_cast<double>(std::numeric_limits<real>::epsilon());
constexpr int64_t kClasses = 10;

struct Case {
  std::string file, model;
  // The longest path: sum of r * s * c over its convolutions,
  // sum of n * p * q over its norms, number of its ReLUs.
  double products, sums, relus;
};

// Tolerance for rounding. A sum of K terms has an error of epsilon * sqrt(K), and the errors of successive
// sums add up like a random walk. 3x3 convolutions by Winograd's algorithm have 5.1 / 3 times the error
// (docs/derivations/winograd.md). The file has 13 digits.
double rounding(const Case& c, double passes) {
  return 4 * 5.1 / 3 * kEpsilon * std::sqrt(passes * (c.products + c.sums)) + 1e-12;
}

// Tolerances. Logits come from one pass, gradients from two. Gradients have a second error (test_golden.cpp):
// rounding moves the inputs of some ReLUs across zero. Their share of up to 10^7 inputs in a batch is the
// inputs' relative error, and each ReLU on the path adds the root of that share. In double there are no such
// inputs, and gradients must agree to eleven digits. (PyTorch's results in float differ from its results in
// double by a third of this.)
double gradient_rounding(const Case& c) {
  constexpr double kInputs = 1e7;
  const double share = 4 * kEpsilon * std::sqrt(c.products);
  return rounding(c, 2) + (share * kInputs < 1 ? 0 : std::sqrt(c.relus * share));
}

class GoldenStep {
 public:
  explicit GoldenStep(const Case& c)
      : golden_(read_golden(c.file)),
        model_(make_model(c.model, {.classes = kClasses,
                                    .norm_momentum = golden_["norm_momentum"],
                                    .auxiliary_weight = golden_["auxiliary_weight"],
                                    .dropout_keep = 1})) {
    model_->parameters.allocate(device_);
    model_->parameters.initialise(1);
    set_golden_values(model_->parameters);
    const int64_t batch = golden_["batch"], side = golden_["side"];
    images_ = Tensor::activations(device_, {batch, side, side, 3});
    images_.upload(golden_images(0, batch, side));
    labels_ = Tensor::indices(device_, {batch});
    labels_.upload(golden_labels(0, batch, kClasses));
  }

  void train() {
    Tape tape = Tape::training();
    outputs_ = model_->outputs(tape, images_);
    const Tensor losses = softmax_cross_entropy(tape, outputs_.logits, labels_).losses;
    if (outputs_.auxiliary.defined())
      tape.seed(softmax_cross_entropy(tape, outputs_.auxiliary, labels_).losses,
                model_->options.auxiliary_weight);
    tape.backward(losses);
    model_->parameters.require_gradients();
    for (const real value : losses.to_host()) loss_ += static_cast<double>(value);
  }
  std::vector<real> evaluate() const {
    Tape tape = Tape::off();
    const ModelOutputs outputs = model_->outputs(tape, images_);
    CHECK(!outputs.auxiliary.defined());
    return outputs.logits.to_host();
  }

  const json& golden() const { return golden_; }
  const ModelOutputs& outputs() const { return outputs_; }
  double loss() const { return loss_; }
  const ParameterStore& store() const { return model_->parameters; }

 private:
  json golden_;
  Device device_ = tested_device();
  std::unique_ptr<Model> model_;
  Tensor images_, labels_;
  ModelOutputs outputs_;
  double loss_ = 0;
};

// If a norm follows, a convolution's bias has the gradient zero, so that only rounding remains. Its terms are
// as large as the terms of the weight's gradient.
double magnitude(const json& gradients, const Parameter& parameter) {
  const double norm = gradients[parameter.name]["norm"];
  const std::string bias = "conv2d.bias";
  if (!parameter.name.ends_with(bias)) return norm;
  const std::string layer = parameter.name.substr(0, parameter.name.size() - bias.size());
  return std::max(norm, gradients[layer + "conv2d.weight"]["norm"].get<double>());
}

void check_against_golden(const Case& c) {
  CAPTURE(c.file);
  GoldenStep step(c);
  step.train();
  const json& golden = step.golden();
  const double loss = golden["loss"];
  CHECK(std::abs(step.loss() - loss) <= rounding(c, 1) * loss);
  check_logits(golden["logits"], step.outputs().logits.to_host(), rounding(c, 1));
  CHECK(golden.contains("auxiliary_logits") == step.outputs().auxiliary.defined());
  if (step.outputs().auxiliary.defined())
    check_logits(golden["auxiliary_logits"], step.outputs().auxiliary.to_host(), rounding(c, 1));
  const ParameterStore& store = step.store();
  check_section(golden["gradients"], store.gradients(), store.parameters(), 1,
                [&](const std::vector<real>&, double, uint32_t index) {
                  return gradient_rounding(c) * magnitude(golden["gradients"], *store.parameters()[index]);
                });
  check_logits(golden["evaluation_logits"], step.evaluate(), rounding(c, 1));
}

}  // namespace

TEST_CASE("golden: ResNets are torchvision's") {
  check_against_golden({"resnet_18.json", "resnet-18", 3.1e4, 1.0e4, 17});
  check_against_golden({"resnet_50.json", "resnet-50", 5.3e4, 1.8e4, 49});
}

TEST_CASE("golden: Inception-ResNet-v2 is timm's") {
  check_against_golden({"inception_resnet_v2.json", "inception-resnet-v2", 1.3e5, 6e4, 174});
}

TEST_CASE("golden: the auxiliary head's loss enters the gradient with its weight") {
  check_against_golden({"inception_resnet_v2_auxiliary.json", "inception-resnet-v2", 1.3e5, 3e5, 174});
}

}  // namespace crescendo::test
