// Wide ResNets: names and shapes, parameter counts, multiply-adds, and invalid model names.
#include "models/wide_resnet.h"

#include <doctest/doctest.h>

#include "kernels/dry_run.h"

namespace crescendo::test {
namespace {

struct Expected {
  std::string name;
  Shape shape;
};

void add_norm(std::vector<Expected>& list, const std::string& name, int64_t channels) {
  list.push_back({name + ".weight", {channels}});
  list.push_back({name + ".bias", {channels}});
}

// Parameters of WRN-16-4, with the names of the PyTorch port of the paper's code.
// Convolutions are [out, r, s, in].
std::vector<Expected> wrn_16_4() {
  std::vector<Expected> list{{"conv0.weight", {16, 3, 3, 3}}};
  int64_t in = 16;
  for (int group = 0; group < 3; ++group)
    for (int block = 0; block < 2; ++block) {
      const int64_t out = int64_t{64} << group;
      const std::string prefix = "group" + std::to_string(group) + ".block" + std::to_string(block) + ".";
      add_norm(list, prefix + "bn0", in);
      list.push_back({prefix + "conv0.weight", {out, 3, 3, in}});
      add_norm(list, prefix + "bn1", out);
      list.push_back({prefix + "conv1.weight", {out, 3, 3, out}});
      if (in != out) list.push_back({prefix + "convdim.weight", {out, 1, 1, in}});
      in = out;
    }
  add_norm(list, "bn", 256);
  list.push_back({"fc.weight", {10, 256}});
  list.push_back({"fc.bias", {10}});
  return list;
}

// Returns the multiply-adds of one image's forward pass.
int64_t multiply_adds(const std::string& name, int64_t side) {
  const Device device = Device::dry_run(Device::cpu());
  const auto model = make_model(name);
  model->parameters.allocate(device);
  Tape tape = Tape::off();
  model->forward(tape, Tensor::activations(device, {1, side, side, 3}));
  return dynamic_cast<DryRunBackend&>(device.backend()).forward_multiply_adds();
}

}  // namespace

TEST_CASE("wide resnet: WRN-16-4 has the names and shapes of PyTorch's files") {
  const auto model = make_model("wrn-16-4");
  const std::vector<Expected> expected = wrn_16_4();
  const auto& parameters = model->parameters.parameters();
  REQUIRE(parameters.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(parameters[i]->name == expected[i].name);
    CHECK(parameters[i]->shape == expected[i].shape);
  }
}

TEST_CASE("wide resnet: every norm has running statistics beside its parameters") {
  const auto model = make_model("wrn-16-4");
  std::vector<Expected> expected;
  for (const auto& parameter : model->parameters.parameters())
    if (parameter->kind == ParameterKind::norm && parameter->name.ends_with("weight")) {
      const std::string norm = parameter->name.substr(0, parameter->name.rfind('.'));
      expected.push_back({norm + ".running_mean", parameter->shape});
      expected.push_back({norm + ".running_var", parameter->shape});
    }
  CHECK(expected.size() == 26);
  const auto& statistics = model->parameters.statistics();
  REQUIRE(statistics.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(statistics[i]->name == expected[i].name);
    CHECK(statistics[i]->shape == expected[i].shape);
  }
}

TEST_CASE("wide resnet: parameter counts") {
  const std::pair<const char*, int64_t> counts[] = {{"wrn-10-1", 77850},     {"wrn-16-1", 175066},
                                                    {"wrn-16-4", 2748890},   {"wrn-16-8", 10961370},
                                                    {"wrn-28-10", 36479194}, {"wrn-40-4", 8949210}};
  for (const auto& [name, count] : counts) CHECK(make_model(name)->parameters.parameter_count() == count);
  // With a hundred classes, 90 more rows of 256 weights and a bias.
  CHECK(make_model("wrn-16-4", {.classes = 100})->parameters.parameter_count() == 2748890 + 90 * 257);
}

TEST_CASE("wide resnet: WRN-16-4 costs 392.6 million multiply-adds an image, a quarter at half the side") {
  const int64_t full = multiply_adds("wrn-16-4", 32);
  CHECK(full == 392612352);
  constexpr int64_t kHead = 2560;
  CHECK(multiply_adds("wrn-16-4", 16) - kHead == (full - kHead) / 4);
}

TEST_CASE("wide resnet: takes images of any size from 4x4, of any number of channels") {
  const Device device = Device::dry_run(Device::cpu());
  for (const int64_t side : {4, 7, 32, 33}) {
    const auto model = make_model("wrn-10-2", {.classes = 7, .image_channels = 1});
    model->parameters.allocate(device);
    Tape tape = Tape::off();
    CHECK(model->forward(tape, Tensor::activations(device, {3, side, side, 1})).shape() == Shape{3, 7});
  }
}

TEST_CASE("make_model: an invalid name gives one clear line") {
  const char* const depth = ": depth 15 is not 6n + 4 (10, 16, 22, 28, 34, 40, ...)";
  CHECK_THROWS_WITH_AS(make_model("wrn-15-4"), (std::string("model wrn-15-4") + depth).c_str(),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(make_model("wrn-16-0"), "model wrn-16-0: width must lie in 1 to 1000, got 0",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(make_model("resnet50"),
                       "unknown model \"resnet50\"; expected wrn-DEPTH-WIDTH (wrn-16-4), resnet-DEPTH "
                       "(resnet-50) or inception-resnet-v2",
                       std::invalid_argument);
  for (const char* name :
       {"", "wrn", "wrn-", "wrn-16", "wrn-16-", "wrn--4", "wrn-16-4-2", "wrn-16-4 ", "wrn-x-4", "WRN-16-4",
        "wrn-4-1", "wrn--2-1", "wrn-16--4", "wrn-99999999999999999999-1"}) {
    CAPTURE(std::string(name));
    CHECK_THROWS_AS(make_model(name), std::invalid_argument);
  }
  CHECK_THROWS_AS(make_model("wrn-16-4", {.classes = 1}), std::invalid_argument);
}

}  // namespace crescendo::test
