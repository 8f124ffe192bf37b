// A dry-run backend records the graph: each kernel call of a forward pass becomes a node, whatever the model.
#include "trainer/store/graph.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "kernels/dry_run.h"
#include "trainer/store/stored_weights.h"

namespace crescendo {
namespace {

// Returns the bottom or right padding that the last window needs.
int64_t padding_after(int64_t in, int64_t before, int64_t window, int64_t stride, int64_t out) {
  return std::max<int64_t>(0, (out - 1) * stride + window - in - before);
}

template <class Geometry>
std::vector<int64_t> pads(const Geometry& g) {
  return {g.pad_top, g.pad_left, padding_after(g.h, g.pad_top, g.r, g.stride_h, g.p),
          padding_after(g.w, g.pad_left, g.s, g.stride_w, g.q)};
}

template <class Geometry>
void set_window(GraphNode& node, const Geometry& g) {
  node.lists = {{"kernel_shape", {g.r, g.s}}, {"strides", {g.stride_h, g.stride_w}}, {"pads", pads(g)}};
}

class GraphBackend final : public DryRunBackend {
 public:
  GraphBackend(std::shared_ptr<const Backend> modelled, std::vector<GraphNode>& nodes)
      : DryRunBackend(std::move(modelled)), nodes_(nodes) {}

  // Names the contents of memory before the pass.
  void set_name(const void* memory, const std::string& name) { names_[memory] = name; }
  std::string name_of(const void* memory) const { return names_.at(memory); }

  // Nothing is fused, shared or packed: each value has memory of its own, and weights keep the named memory.
  Capabilities capabilities() const override {
    Capabilities modelled = DryRunBackend::capabilities();
    modelled.finishes_before_storing = modelled.stores_among_channels = false;
    return modelled;
  }
  int64_t packed_weight_size(const Conv2dGeometry&) const override { return 0; }
  bool fuses_norm(const Conv2dGeometry&) const override { return false; }

  void run(const KernelCall& call) override {
    std::visit([this](const auto& one) { append(one); }, call);
  }

  // Returns the constants that are not tensors of the model, by name.
  const std::map<std::string, GraphConstant>& made() const { return made_; }

 private:
  // ---- Appends the nodes of a kernel call.
  template <class Call>
  void append(const Call&) {
    throw std::logic_error(join("graph: no operator for ", Call::kName));
  }
  void append(const Fill&) {}  // the model's memory before the pass
  void append(const Conv2dForward& call) {
    const auto& [g, x, weight, epilogue, y] = call;
    GraphNode node{.op = "Conv", .inputs = {name_of(x), name_of(weight.values)}};
    if (epilogue.bias != nullptr) node.inputs.push_back(name_of(epilogue.bias));
    set_window(node, g);
    add(node, y);
    append_epilogue(call);
  }
  void append(const SiblingConv2dForward& call) {
    run_one_by_one(call, [this](const Conv2dForward& one) { append(one); });
  }
  void append(const Normalise& call) {
    const auto& [g, x, norm, residual, y] = call;
    GraphNode node{.op = "BatchNormalization",
                   .inputs = {name_of(x), scale_name(norm.scale, g.c), name_of(norm.shift),
                              name_of(norm.mean), name_of(norm.variance)}};
    node.numbers["epsilon"] = static_cast<float>(g.epsilon);
    add(node, y);
    if (residual != nullptr) add({.op = "Add", .inputs = {name_of(residual), name_of(y)}}, y);
    if (g.relu) add({.op = "Relu", .inputs = {name_of(y)}}, y);
  }
  void append(const MaxPool2dForward& call) {
    GraphNode node{.op = "MaxPool", .inputs = {name_of(call.x)}};
    set_window(node, call.geometry);
    add(node, call.y);
  }
  void append(const AveragePool2dForward& call) {
    const auto& [g, x, y] = call;
    if (g.r == g.h && g.s == g.w && g.p == 1 && g.q == 1)
      return add({.op = "GlobalAveragePool", .inputs = {name_of(x)}}, y);
    GraphNode node{.op = "AveragePool", .inputs = {name_of(x)}};
    set_window(node, g);
    node.integers["count_include_pad"] = g.count_padding ? 1 : 0;
    add(node, y);
  }
  void append(const LinearForward& call) {
    const auto& [g, x, weight, bias, y] = call;
    add({.op = "Flatten", .inputs = {name_of(x)}, .integers = {{"axis", 1}}}, y);
    GraphNode node{
        .op = "Gemm", .inputs = {name_of(y), name_of(weight), name_of(bias)}, .integers = {{"transB", 1}}};
    add(node, y);
  }
  void append(const ReluForward& call) { add({.op = "Relu", .inputs = {name_of(call.x)}}, call.y); }
  void append(const ScaleAdd& call) {
    const auto& [n, a, factor, b, y] = call;
    const std::string summand = name_of(a);
    std::string scaled = name_of(b);
    if (factor != 1) {
      add({.op = "Mul", .inputs = {scaled, factor_name(factor)}}, y);
      scaled = name_of(y);
    }
    add({.op = "Add", .inputs = {summand, scaled}}, y);
  }
  // The parts of a concatenation arrive one after another.
  void append(const CopyChannels& call) {
    const ChannelSlice& slice = call.geometry;
    if (slice.count != slice.from_channels) throw std::logic_error("graph: part of a tensor's channels");
    if (slice.to_offset == 0) parts_.clear();
    parts_.push_back(name_of(call.from));
    if (slice.to_offset + slice.count < slice.to_channels) return;
    add({.op = "Concat", .inputs = parts_, .integers = {{"axis", 1}}}, call.to);
  }
  void append_epilogue(const Conv2dForward& call) {
    const ConvolutionEpilogue& epilogue = call.epilogue;
    const Conv2dGeometry& g = call.geometry;
    const int64_t pixels = g.p * g.q, n = g.n * pixels * g.k;
    if (epilogue.norm)
      return append(Normalise{.geometry = {.n = g.n,
                                           .pixels = pixels,
                                           .c = g.k,
                                           .ghost = g.n,
                                           .epsilon = epilogue.epsilon,
                                           .relu = epilogue.relu},
                              .x = call.y,
                              .norm = *epilogue.norm,
                              .residual = epilogue.residual,
                              .y = call.y});
    if (epilogue.residual != nullptr)
      append(ScaleAdd{.n = n, .a = epilogue.residual, .factor = epilogue.factor, .b = call.y, .y = call.y});
    else if (epilogue.factor != 1)
      throw std::logic_error("graph: a convolution's factor without a residual");
    if (epilogue.relu) append(ReluForward{.n = n, .x = call.y, .y = call.y});
  }

  void add(GraphNode node, const void* output) {
    node.output = node.op + "_" + std::to_string(nodes_.size());
    names_[output] = node.output;
    nodes_.push_back(std::move(node));
  }
  std::string factor_name(double factor) { return made_name(join("factor_", factor), {}, factor, 1); }
  // Norms without a scale share one constant of ones.
  std::string scale_name(const real* scale, int64_t channels) {
    const auto found = names_.find(scale);
    return found != names_.end() ? found->second
                                 : made_name(join("ones_", channels), {channels}, 1, channels);
  }
  std::string made_name(const std::string& name, const std::vector<int64_t>& shape, double value,
                        int64_t count) {
    made_[name] = {name, shape, std::vector<float>(static_cast<size_t>(count), static_cast<float>(value))};
    return name;
  }

  std::vector<GraphNode>& nodes_;
  std::map<const void*, std::string> names_;  // name of the value that the memory holds now
  std::vector<std::string> parts_;
  std::map<std::string, GraphConstant> made_;
};

void name_parameters(GraphBackend& backend, const ParameterStore& store) {
  for (const auto& parameter : store.parameters()) {
    const Tensor& value = parameter->value;
    const bool weight = value.element() == Element::activation;
    backend.set_name(weight ? static_cast<const void*>(value.as_activations()) : value.as_reals(),
                     parameter->name);
  }
  for (const auto& statistic : store.statistics())
    backend.set_name(statistic->value.as_reals(), statistic->name);
}

// Returns the names of all values that nodes read and no node computes.
std::set<std::string> constant_names(const Graph& graph) {
  std::set<std::string> names;
  for (const GraphNode& node : graph.nodes) names.insert(node.inputs.begin(), node.inputs.end());
  for (const GraphNode& node : graph.nodes) names.erase(node.output);
  return names;
}

std::vector<GraphConstant> constants_of(const Graph& graph, const ParameterStore& store,
                                        const std::map<std::string, GraphConstant>& made) {
  const std::set<std::string> names = constant_names(graph);
  std::vector<GraphConstant> constants;
  for (const StoredSlice& slice : weight_slices(store)) {
    if (!names.contains(slice.name)) continue;
    const std::vector<real> values = values_to_store(store, slice);
    constants.push_back({slice.name, stored_shape(slice.shape), {values.begin(), values.end()}});
  }
  for (const auto& [name, constant] : made) constants.push_back(constant);
  return constants;
}

}  // namespace

Graph trace(const Model& model, const ImageSize& image_size) {
  Graph graph{.image_size = image_size, .classes = model.options.classes};
  const Device real_device = model.parameters.values().device();
  auto backend = std::make_unique<GraphBackend>(real_device.shared_backend(), graph.nodes);
  GraphBackend& traced = *backend;
  const Device device(std::move(backend));
  const std::unique_ptr<Model> twin = make_model(model.name, model.options);
  twin->parameters.allocate(device);
  name_parameters(traced, twin->parameters);
  const Tensor images =
      Tensor::activations(device, {1, image_size.height, image_size.width, image_size.channels});
  traced.set_name(images.as_activations(), graph.input);
  Tape tape = Tape::off();
  twin->forward(tape, images);
  graph.nodes.back().output = graph.output;
  graph.constants = constants_of(graph, model.parameters, traced.made());
  return graph;
}

}  // namespace crescendo
