#include "kernels/cuda/conv2d.h"

#include <algorithm>
#include <array>
#include <functional>
#include <stdexcept>
#include <string_view>

namespace crescendo::cuda {

namespace {

// Largest workspace in bytes that an engine may need for one ghost batch.
constexpr size_t kMostWorkspace = size_t{1} << 30;

// Unique IDs of the tensors of a graph.
constexpr std::array<int64_t, 3> kNames = {1, 2, 3};  // x, weight, y
constexpr int64_t kX = kNames[0], kWeight = kNames[1], kY = kNames[2];

// Attribute names of an operation. x, weight and y stand for their gradients too.
struct Attributes {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t convolution, x, weight, y, alpha, beta;
};
constexpr Attributes kForward = {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
constexpr Attributes kBackwardData = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                                      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
constexpr Attributes kBackwardWeight = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};

const Attributes& attributes(Pass pass) {
  switch (pass) {
    case Pass::forward:
      return kForward;
    case Pass::backward_data:
      return kBackwardData;
    default:
      return kBackwardWeight;
  }
}

const char* name_of(Pass pass) {
  switch (pass) {
    case Pass::forward:
      return "forward";
    case Pass::backward_data:
      return "backward_data";
    default:
      return "backward_weight";
  }
}

cudnnDataType_t activation_type(Precision precision) {
  return precision == Precision::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

// Describes a tensor [n,h,w,c] or a filter [k,r,s,c] of the given alignment. cuDNN lists sizes in the order
// n c h w, whatever the layout.
Descriptor tensor(int64_t name, cudnnDataType_t type, std::array<int64_t, 4> nhwc, int64_t alignment) {
  const auto [n, h, w, c] = nhwc;
  const std::array<int64_t, 4> sizes = {n, c, h, w}, strides = {h * w * c, 1, w * c, c};
  Descriptor d(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, name);
  d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type);
  d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::span<const int64_t>(sizes));
  d.set(CUDNN_ATTR_TENSOR_STRIDES, std::span<const int64_t>(strides));
  d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment);
  d.finalise();
  return d;
}

// Describes activations that may start at any image of a larger tensor.
Descriptor images(int64_t name, cudnnDataType_t type, std::array<int64_t, 4> nhwc) {
  const int64_t bytes = nhwc[1] * nhwc[2] * nhwc[3] * (type == CUDNN_DATA_BFLOAT16 ? 2 : 4);
  return tensor(name, type, nhwc, alignment_of_slices(bytes));
}

// Returns the padding after the last row or column: as much as before the first if that gives the same output
// size, because engines prefer it; otherwise as much as the last window reaches.
int64_t padding_after(int64_t in, int64_t out, int64_t window, int64_t stride, int64_t before) {
  const auto gives = [&](int64_t after) {
    return in + before + after >= window && (in + before + after - window) / stride + 1 == out;
  };
  return gives(before) ? before : std::max<int64_t>(0, (out - 1) * stride + window - in - before);
}

Descriptor convolution(const Conv2dGeometry& g) {
  const std::array<int64_t, 2> dilations = {1, 1}, strides = {g.stride_h, g.stride_w},
                               before = {g.pad_top, g.pad_left},
                               after = {padding_after(g.h, g.p, g.r, g.stride_h, g.pad_top),
                                        padding_after(g.w, g.q, g.s, g.stride_w, g.pad_left)};
  Descriptor d(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  d.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  d.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  d.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2});
  d.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::span<const int64_t>(dilations));
  d.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::span<const int64_t>(strides));
  d.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, std::span<const int64_t>(before));
  d.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, std::span<const int64_t>(after));
  d.finalise();
  return d;
}

// Returns the engine of a configuration.
Descriptor engine_of(const Descriptor& configuration) {
  std::vector<Descriptor> engines =
      configuration.get_descriptors(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
  if (engines.empty()) throw std::runtime_error("cuda: cuDNN: a configuration without an engine");
  return std::move(engines.front());
}

// Returns the configuration of an engine for a graph.
Descriptor configuration_of(const Descriptor& graph, int64_t index,
                            const std::vector<std::pair<cudnnBackendKnobType_t, int64_t>>& knobs) {
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph);
  engine.set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, index);
  engine.finalise();
  std::vector<Descriptor> choices;
  for (const auto& [knob, value] : knobs) {
    Descriptor& choice = choices.emplace_back(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    choice.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, knob);
    choice.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, value);
    choice.finalise();
  }
  Descriptor configuration(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  configuration.set(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  if (!choices.empty()) configuration.set(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, choices);
  configuration.finalise();
  return configuration;
}

cudnnHandle_t create_handle(cudaStream_t stream) {
  cudnnHandle_t handle = nullptr;
  check(cudnnCreate(&handle), "create");
  check(cudnnSetStream(handle, stream), "stream");
  return handle;
}

// Returns the geometry of one ghost batch, for which engines are chosen.
Conv2dGeometry one_ghost(Conv2dGeometry g) {
  if (g.ghost > 0) g.n = g.ghost;
  return g;
}

}  // namespace

size_t Convolutions::Hash::operator()(const Key& key) const {
  static_assert(std::has_unique_object_representations_v<Conv2dGeometry>);
  const std::string_view bytes(reinterpret_cast<const char*>(&key.geometry), sizeof(key.geometry));
  return std::hash<std::string_view>()(bytes) * 8 + static_cast<size_t>(key.pass) * 2 +
         static_cast<size_t>(key.write);
}

Convolutions::Convolutions(Precision precision, cudaStream_t stream)
    : precision_(precision), handle_(create_handle(stream)) {}

size_t Convolutions::workspace(const Conv2dGeometry& g) {
  size_t bytes = 0;
  const auto include = [&](const Key& key) {
    if (const auto& p = plan(key)) bytes = std::max(bytes, p->workspace);
  };
  include({g, Pass::forward, Write::overwrite});
  for (const Write write : {Write::overwrite, Write::add}) {
    include({g, Pass::backward_data, write});
    include({one_ghost(g), Pass::backward_weight, write});
  }
  return bytes;
}

void Convolutions::forward(const Conv2dGeometry& g, const void* x, const void* weight, void* y,
                           void* workspace) {
  run({g, Pass::forward, Write::overwrite}, {x, weight, y}, workspace);
}

void Convolutions::backward_data(const Conv2dGeometry& g, const void* dy, const void* weight, void* dx,
                                 Write write, void* workspace) {
  run({g, Pass::backward_data, write}, {dx, weight, dy}, workspace);
}

void Convolutions::backward_weight(const Conv2dGeometry& g, const void* x, const void* dy, void* dweight,
                                   Write write, void* workspace) {
  run({one_ghost(g), Pass::backward_weight, write}, {x, dweight, dy}, workspace);
}

void Convolutions::run(const Key& key, const Operands& operands, void* workspace) {
  const auto& found = plan(key);
  if (!found)
    throw std::runtime_error(std::string("cuda: conv2d: cuDNN has no engine for ") + name_of(key.pass) +
                             " in " + std::string(crescendo::name_of(precision_)) + ": " + refusal_);
  const std::array<void*, 3> pointers = {const_cast<void*>(operands.x), const_cast<void*>(operands.weight),
                                         const_cast<void*>(operands.y)};
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const int64_t>(kNames));
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::span<void* const>(pointers));
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace);
  pack.finalise();
  check(cudnnBackendExecute(handle_.get(), found->descriptor.get(), pack.get()), name_of(key.pass));
}

const std::optional<Convolutions::Plan>& Convolutions::plan(const Key& key) {
  const auto found = plans_.find(key);
  if (found != plans_.end()) return found->second;
  return plans_.emplace(key, make_plan(key)).first->second;
}

const std::optional<Convolutions::Engine>& Convolutions::engine(const Conv2dGeometry& g, Pass pass) {
  const Key key{g, pass, Write::overwrite};
  const auto found = engines_.find(key);
  if (found != engines_.end()) return found->second;
  return engines_.emplace(key, choose_engine(g, pass)).first->second;
}

std::optional<Convolutions::Plan> Convolutions::make_plan(const Key& key) {
  for (const Conv2dGeometry& g : {one_ghost(key.geometry), key.geometry}) {
    const auto& chosen = engine(g, key.pass);
    if (!chosen) continue;
    auto made = attempt([&]() -> std::optional<Plan> {
      return finished_plan(configuration_of(graph(key), chosen->index, chosen->knobs));
    });
    if (made) return made;
  }
  return std::nullopt;
}

// Returns the fastest engine by cuDNN's heuristics.
std::optional<Convolutions::Engine> Convolutions::choose_engine(const Conv2dGeometry& g, Pass pass) {
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    auto found = attempt([&] { return first_engine(graph({g, pass, Write::overwrite}), mode); });
    if (found) return found;
  }
  return std::nullopt;
}

std::optional<Convolutions::Engine> Convolutions::first_engine(const Descriptor& graph,
                                                               cudnnBackendHeurMode_t mode) {
  Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  heuristics.finalise();
  const int64_t count = heuristics.count_descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS);
  for (const Descriptor& configuration :
       heuristics.get_descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, count)) {
    auto found = attempt([&] { return usable_engine(graph, configuration); });
    if (found) return found;
  }
  return std::nullopt;
}

std::optional<Convolutions::Engine> Convolutions::usable_engine(const Descriptor& graph,
                                                                const Descriptor& configuration) const {
  const Descriptor engine = engine_of(configuration);
  if (!is_allowed(engine)) return std::nullopt;
  Engine found{engine.get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX), {}};
  for (const Descriptor& choice : configuration.get_descriptors(
           CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_KNOB_TYPE_COUNTS))
    found.knobs.emplace_back(choice.get<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE),
                             choice.get<int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
  const Plan made = finished_plan(configuration_of(graph, found.index, found.knobs));
  if (made.workspace > kMostWorkspace) return std::nullopt;
  return found;
}

// Rejects engines that add in an order that varies from run to run or that round partial sums to less than
// fp32; in fp32 also engines that round the factors.
bool Convolutions::is_allowed(const Descriptor& engine) const {
  std::vector<cudnnBackendNumericalNote_t> forbidden = {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC,
                                                        CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION};
  if (precision_ == Precision::fp32)
    forbidden.insert(forbidden.end(),
                     {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS});
  const auto notes = engine.get<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                             CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  return std::ranges::find_first_of(notes, forbidden) == notes.end();
}

Convolutions::Plan Convolutions::finished_plan(const Descriptor& configuration) const {
  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle_.get());
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
  plan.finalise();
  const int64_t workspace = plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
  return {std::move(plan), static_cast<size_t>(workspace)};
}

// Returns a graph of one operation: result = convolution + beta * result.
Descriptor Convolutions::graph(const Key& key) const {
  const Conv2dGeometry& g = key.geometry;
  const Attributes& names = attributes(key.pass);
  const cudnnDataType_t type = activation_type(precision_);
  std::vector<Descriptor> operations;
  Descriptor& operation = operations.emplace_back(names.operation);
  operation.set(names.convolution, convolution(g));
  operation.set(names.x, images(kX, type, {g.n, g.h, g.w, g.c}));
  operation.set(names.weight, tensor(kWeight, type, {g.k, g.r, g.s, g.c}, kMostAlignment));
  operation.set(names.y, images(kY, type, {g.n, g.p, g.q, g.k}));
  operation.set(names.alpha, 1.0F);
  operation.set(names.beta, key.write == Write::add ? 1.0F : 0.0F);
  operation.finalise();
  Descriptor graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle_.get());
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations);
  graph.finalise();
  return graph;
}

}  // namespace crescendo::cuda
