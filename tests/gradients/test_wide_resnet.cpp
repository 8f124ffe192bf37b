// A whole small wide ResNet: the gradient of the loss along a random direction of each parameter.
#include "gradients/check_gradients.h"
#include "models/model.h"

namespace crescendo::test {
namespace {

constexpr double kStep = 1e-6;  // small: one of 20,000 ReLUs must not change sides within it

struct Network {
  Device device = Device::cpu(2);
  std::unique_ptr<Model> model;
  Tensor images, labels;

  Network() : model(make_model("wrn-10-1", {.classes = 5})) {
    ParameterStore& store = model->parameters;
    store.allocate(device);
    store.initialise(3);
    // Away from the initial ones and zeros, which hide a factor of scale and an unused shift.
    uint32_t seed = 50;
    for (const auto& parameter : store.parameters())
      if (parameter->kind == ParameterKind::norm)
        store.upload(store.values(), parameter->offset,
                     uniform_values(seed++, parameter->shape.elements(), 0.25, 1));
    images = random_activations(device, {4, 8, 8, 3}, 1);
    labels = make_indices(device, {0, 3, 1, 4});
  }

  Tensor losses(Tape& tape) const {
    return softmax_cross_entropy(tape, model->forward(tape, images), labels, 0.1).losses;
  }
};

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

TEST_CASE("wide resnet: the loss's slope along each parameter is that of central differences") {
  const Network network;
  ParameterStore& store = network.model->parameters;
  const TapeOptions two_ghosts{.ghost = 2};
  const Values dlosses{0.7, -1.1, 0.4, 0.9};
  const auto f = [&] {
    Tape tape = Tape::training(two_ghosts);
    return dot(network.losses(tape).to_host(), dlosses);
  };
  Tape tape = Tape::training(two_ghosts);
  const Tensor losses = network.losses(tape);
  tape.backward(losses, make_reals(network.device, {4}, dlosses));
  store.require_gradients();

  uint32_t seed = 100;
  for (const auto& parameter : store.parameters()) {
    CAPTURE(parameter->name);
    const int64_t count = parameter->shape.elements();
    const Values values = store.download(store.values(), parameter->offset, count);
    const Values gradient = store.download(store.gradients(), parameter->offset, count);
    Values direction = uniform_values(seed++, count);
    const double length = std::sqrt(dot(direction, direction));
    for (double& part : direction) part /= length;
    const auto f_at = [&](double step) {
      Values moved = values;
      for (size_t i = 0; i < moved.size(); ++i) moved[i] += step * direction[i];
      store.upload(store.values(), parameter->offset, moved);
      return f();
    };
    const double measured = (f_at(kStep) - f_at(-kStep)) / (2 * kStep);
    const double coarser = (f_at(2 * kStep) - f_at(-2 * kStep)) / (4 * kStep);
    store.upload(store.values(), parameter->offset, values);

    // As in check_gradients.h: the change under a doubled step bounds h^2 f''' / 6. The losses are of order
    // one and come through ten layers, each of which rounds.
    const double roundoff = 10 * 8 * std::numeric_limits<double>::epsilon() * 4 / kStep;
    const double truncation = std::abs(coarser - measured);
    const double slope = dot(gradient, direction);
    CHECK(std::sqrt(dot(gradient, gradient)) > 1e-4);
    REQUIRE(truncation <= 1e-5 * (1 + std::abs(measured)));
    CHECK(std::abs(slope - measured) <= truncation + roundoff);
  }
}

}  // namespace crescendo::test
