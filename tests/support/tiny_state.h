// A minimal training state that has everything:
// a convolution, a linear layer, a norm, a statistic, an optimizer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "trainer/store/checkpoint.h"

namespace crescendo {

class TinyState {
 public:
  explicit TinyState(uint64_t seed = 1, std::vector<std::string> buffers = {"momentum"},
                     int64_t features = 2) {
    store_.add_parameter("conv.weight", {2, 3, 1, 2}, ParameterKind::weight, {0, 1});
    store_.add_parameter("norm.weight", {2}, ParameterKind::norm, {1, 0});
    store_.add_parameter("fc.weight", {3, features}, ParameterKind::weight, {0, 1});
    store_.add_parameter("fc.bias", {3}, ParameterKind::bias, {0.5, 0});
    store_.add_statistic("norm.running_mean", {2}, 0.25);
    const Device device = Device::cpu(1);
    store_.allocate(device);
    store_.initialise(seed);
    state.info.model = "tiny";
    state.info.class_names = {"cat", "dog \"of\" mine", "caf\xc3\xa9"};
    state.info.config = "model = \"tiny\"\nseed = 1\n";
    state.info.counters = {640, 5, 1.0 / 3};
    state.info.extra = {{"loss_sum", "0x1.8p+1"}, {"empty", ""}};
    for (const std::string& name : buffers) {
      const Tensor buffer = Tensor::reals(device, {store_.size()});
      std::vector<real> values(static_cast<size_t>(store_.size()));
      for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<real>(seed + i) / 7;
      store_.upload(buffer, 0, values);
      state.optimizer.push_back({name, buffer});
    }
  }

  // Sets one element of a parameter.
  void set(const std::string& name, int64_t element, real value) {
    for (const auto& parameter : store_.parameters())
      if (parameter->name == name) store_.upload(store_.values(), parameter->offset + element, {&value, 1});
  }

 private:
  ParameterStore store_;

 public:
  TrainingState state{{}, store_, {}};
};

}  // namespace crescendo
