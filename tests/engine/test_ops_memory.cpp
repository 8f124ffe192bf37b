// Memory of a training step: it falls during backward, and the second step allocates nothing.
#include <doctest/doctest.h>

#include "engine/layers.h"
#include "support/tensors.h"
#include "support/tested_device.h"

namespace crescendo::test {
namespace {

constexpr int64_t kImages = 4, kSide = 8, kChannels = 16;
const size_t kActivation = static_cast<size_t>(kImages * kSide * kSide * kChannels) * sizeof(real);

// Three convolutions with norms and a residual connection.
struct Network {
  Device device = tested_device(2);
  ParameterStore store;
  std::vector<Conv2d> convolutions;
  std::vector<BatchNorm> norms;
  Tensor images = random_activations(device, {kImages, kSide, kSide, kChannels}, 1);

  Network() {
    for (const std::string name : {"0", "1", "2"}) {
      const Scope scope = Scope(store)[name];
      norms.emplace_back(scope["bn"], kChannels, BatchNormOptions{.relu = true});
      convolutions.emplace_back(
          scope["conv"],
          Conv2dSpec{.in = kChannels, .out = kChannels, .options = {.padding = Padding::all(1)}});
    }
    store.allocate(device);
    store.initialise(1);
  }
  // `probe(layer)` is called in the backward pass, just before that of the layer.
  Tensor forward(Tape& tape, const std::function<void(size_t)>& probe) const {
    Tensor x = images;
    for (size_t i = 0; i < norms.size(); ++i) {
      const Tensor z = convolutions[i](tape, norms[i](tape, x));
      x = i == 0 ? z : add(tape, x, z);
      x = tape.record("probe", {x}, x, [=](const Tensor&) { probe(i); });
    }
    return x;
  }
  void step(const std::function<void(size_t)>& probe) {
    store.forget_gradients();
    Tape tape = Tape::training({.ghost = 2});
    const Tensor y = forward(tape, probe);
    tape.backward(y, 1);
    store.require_gradients();
  }
  MemoryUse use() const { return device.memory().use(); }
};

}  // namespace

TEST_CASE("memory: an activation goes as soon as no backward pass needs it any more") {
  Network network;
  const size_t before = network.use().in_use;
  std::vector<size_t> held;  // bytes in use when backward reaches layers 2, 1 and 0
  network.step([&](size_t) { held.push_back(network.use().in_use); });
  REQUIRE(held.size() == 3);
  // The backward pass of a layer releases the input of its convolution,
  // and its own input if a residual sum made it.
  CHECK(held[0] >= held[1] + kActivation);
  CHECK(held[1] >= held[2] + kActivation);
  CHECK(network.use().in_use == before);
}

TEST_CASE("memory: the second step allocates nothing and gets the same places") {
  Network network;
  std::vector<const void*> places[3];
  size_t allocations[3] = {}, peaks[3] = {};
  for (size_t step = 0; step < 3; ++step) {
    network.step([](size_t) {});
    Tape tape = Tape::training({.ghost = 2});
    tape.observer = [&](const char*, std::span<const Tensor>, const Tensor& output) {
      places[step].push_back(output.as_activations());
    };
    network.forward(tape, [](size_t) {});
    allocations[step] = network.use().allocations;
    peaks[step] = network.use().peak;
  }
  CHECK(allocations[1] == allocations[0]);
  CHECK(allocations[2] == allocations[0]);
  CHECK(peaks[2] == peaks[0]);
  CHECK(places[1] == places[2]);
}

TEST_CASE("memory: evaluation keeps no activation beyond its use") {
  Network network;
  const size_t before = network.use().in_use;
  Tape tape = Tape::off();
  size_t most = 0;
  tape.observer = [&](const char*, std::span<const Tensor>, const Tensor&) {
    most = std::max(most, network.use().in_use - before);
  };
  network.forward(tape, [](size_t) {});
  CHECK(most <= 3 * kActivation);  // the residual, the convolution's input and its output
}

}  // namespace crescendo::test
