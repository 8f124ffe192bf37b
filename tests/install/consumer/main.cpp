// The example of docs/library.md: one training step of a small convolutional net on the CPU, with nothing but
// the installed engine.
#include <cmath>
#include <cstdio>
#include <numeric>

#include "engine/layers.h"

using namespace crescendo;

namespace {

constexpr int64_t kImages = 8, kSide = 8, kChannels = 3, kFeatures = 6, kClasses = 4, kGhost = 4;

class Net {
 public:
  explicit Net(const Device& device) {
    parameters.allocate(device);
    parameters.initialise(1);
  }

  // Two branches see the stem's output, one through a norm, and are concatenated.
  Tensor forward(Tape& tape, const Tensor& images) const {
    const Tensor stem = stem_(tape, images);
    const std::vector<Tensor> branches{norm_(tape, stem), relu(tape, stem)};
    return head_(tape, global_average_pool(tape, concat_channels(tape, branches)));
  }

  ParameterStore parameters;

 private:
  Conv2d stem_{Scope(parameters)["stem"],
               {.in = kChannels, .out = kFeatures, .options = {.padding = Padding::all(1)}}};
  BatchNorm norm_{Scope(parameters)["norm"], kFeatures, {.relu = true}};
  Linear head_{Scope(parameters)["head"], 2 * kFeatures, kClasses};
};

// Image i is a ramp whose slope in each channel depends on its label, i modulo the number of classes.
Tensor make_images(const Device& device) {
  const Shape shape{kImages, kSide, kSide, kChannels};
  std::vector<float> pixels(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < pixels.size(); ++i) {
    const auto image = static_cast<int64_t>(i) / (kSide * kSide * kChannels);
    pixels[i] = std::sin(0.01F * static_cast<float>(i) * static_cast<float>(image % kClasses + 1));
  }
  const Tensor images = Tensor::activations(device, shape);
  images.upload(pixels);
  return images;
}

Tensor make_labels(const Device& device) {
  std::vector<int32_t> values(kImages);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int32_t>(i % kClasses);
  const Tensor labels = Tensor::indices(device, {kImages});
  labels.upload(values);
  return labels;
}

// Returns the mean loss, and leaves the summed gradients in net.parameters.
double loss_and_gradients(Net& net, const Tensor& images, const Tensor& labels) {
  Tape tape = Tape::training({.ghost = kGhost});
  net.parameters.forget_gradients();
  const CrossEntropy result = softmax_cross_entropy(tape, net.forward(tape, images), labels);
  tape.backward(result.losses);
  net.parameters.require_gradients();
  const std::vector<real> losses = result.losses.to_host();
  return std::accumulate(losses.begin(), losses.end(), 0.0) / kImages;
}

}  // namespace

int main() {
  const Device device = Device::cpu();
  Net net(device);
  const Tensor images = make_images(device), labels = make_labels(device);

  const double before = loss_and_gradients(net, images, labels);
  const ParameterStore& store = net.parameters;
  const OptimizerStep step{.n = store.size(),
                           .decayed = store.norm_begin(),
                           .learning_rate = 0.1,
                           .weight_decay = 5e-4,
                           .gradient_scale = 1.0 / kImages};
  device.run(Sgd{.step = step,
                 .gradients = store.gradients().as_reals(),
                 .values = store.values().as_reals(),
                 .copy = store.weight_copy()});
  const double after = loss_and_gradients(net, images, labels);

  std::printf("loss %.6f before the step, %.6f after it\n", before, after);
  return after < before ? 0 : 1;
}
