// The graph of a model's forward pass: whole, in order, with ONNX's attributes.
#include "trainer/store/graph.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

namespace crescendo::test {
namespace {

Graph graph_of(const std::string& name, const ImageSize& size, const ModelOptions& options = {}) {
  const auto model = make_model(name, options);
  model->parameters.allocate(Device::cpu(1));
  model->parameters.initialise(1);
  return trace(*model, size);
}

// Every value is made once, before it is read; what no node makes is a constant or the input, and all
// constants are read.
void check_whole(const Graph& graph) {
  std::set<std::string> known = {graph.input}, read;
  for (const GraphConstant& constant : graph.constants) {
    CHECK(known.insert(constant.name).second);
    int64_t count = 1;
    for (const int64_t size : constant.shape) count *= size;
    CHECK(static_cast<size_t>(count) == constant.values.size());
  }
  for (const GraphNode& node : graph.nodes) {
    CAPTURE(node.output);
    for (const std::string& input : node.inputs) {
      CHECK(known.contains(input));
      read.insert(input);
    }
    CHECK(known.insert(node.output).second);
  }
  CHECK(graph.nodes.back().output == graph.output);
  CHECK(read.size() == known.size() - 1);  // all but the output
}

int64_t count(const Graph& graph, const std::string& op) {
  return std::count_if(graph.nodes.begin(), graph.nodes.end(),
                       [&](const GraphNode& node) { return node.op == op; });
}

bool has_constant(const Graph& graph, const std::string& name) {
  return std::any_of(graph.constants.begin(), graph.constants.end(),
                     [&](const GraphConstant& constant) { return constant.name == name; });
}

}  // namespace

TEST_CASE("graph: ResNet-18") {
  const Graph graph = graph_of("resnet-18", {65, 64, 3});
  check_whole(graph);
  CHECK(count(graph, "Conv") == 20);
  CHECK(count(graph, "BatchNormalization") == 20);
  CHECK(count(graph, "Relu") == 17);
  CHECK(count(graph, "Add") == 8);
  const GraphNode& stem = graph.nodes[0];
  CHECK(stem.inputs == std::vector<std::string>{"images", "conv1.weight"});
  CHECK(stem.lists.at("kernel_shape") == std::vector<int64_t>{7, 7});
  CHECK(stem.lists.at("strides") == std::vector<int64_t>{2, 2});
  CHECK(stem.lists.at("pads") == std::vector<int64_t>{3, 3, 3, 2});  // what the last window reaches
  const GraphNode& norm = graph.nodes[1];
  CHECK(norm.inputs ==
        std::vector<std::string>{"Conv_0", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"});
  CHECK(norm.numbers.at("epsilon") == 1e-5f);
  CHECK(graph.nodes[graph.nodes.size() - 3].op == "GlobalAveragePool");
  CHECK(graph.nodes[graph.nodes.size() - 2].op == "Flatten");
  CHECK(graph.nodes.back().integers.at("transB") == 1);
}

TEST_CASE("graph: constants are stored in PyTorch's layout") {
  const auto model = make_model("wrn-10-1");
  ParameterStore& store = model->parameters;
  store.allocate(Device::cpu(1));
  const Parameter& weight = *store.parameters()[0];  // [16, 3, 3, 3]
  std::vector<real> values;
  for (int64_t i = 0; i < weight.shape.elements(); ++i) values.push_back(static_cast<real>(i));
  store.upload(store.values(), weight.offset, values);
  const Graph graph = trace(*model, {32, 32, 3});
  const auto stored =
      std::find_if(graph.constants.begin(), graph.constants.end(),
                   [](const GraphConstant& constant) { return constant.name == "conv0.weight"; });
  REQUIRE(stored != graph.constants.end());
  CHECK(stored->shape == std::vector<int64_t>{16, 3, 3, 3});
  CHECK(stored->values[1] == 3);  // the next column of the same channel
  CHECK(stored->values[9] == 1);  // the next channel
}

TEST_CASE("graph: Inception-ResNet-v2") {
  const Graph graph =
      graph_of("inception-resnet-v2", {75, 80, 3}, {.norm_scale = false, .auxiliary_weight = 0.4});
  check_whole(graph);
  CHECK(count(graph, "Conv") == 244);
  CHECK(count(graph, "Concat") == 43);
  CHECK(count(graph, "Mul") == 39);  // the last block is not scaled
  CHECK(count(graph, "AveragePool") == 1);
  for (const char* name : {"ones_32", "ones_1536", "factor_0.17", "factor_0.1", "factor_0.2"})
    CHECK(has_constant(graph, name));
  for (const GraphConstant& constant : graph.constants) CHECK(!constant.name.starts_with(kAuxiliaryHead));
  const auto pool = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                 [](const GraphNode& node) { return node.op == "AveragePool"; });
  CHECK(pool->integers.at("count_include_pad") == 0);
}

}  // namespace crescendo::test
