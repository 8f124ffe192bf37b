// The module that onnx.cpp loads.
#include <onnx/onnx_pb.h>

#include "base/check.h"
#include "trainer/cli/onnx.h"

using namespace crescendo;

namespace {

constexpr int64_t kOperators = 13;        // operator set version, of 2020: every runtime supports it
constexpr size_t kMaxBytes = 2147483647;  // limit of a protobuf message

void write_node(const GraphNode& node, onnx::NodeProto& proto) {
  proto.set_op_type(node.op);
  proto.set_name(node.output);
  for (const std::string& input : node.inputs) proto.add_input(input);
  proto.add_output(node.output);
  const auto attribute = [&](const std::string& name, onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto* const added = proto.add_attribute();
    added->set_name(name);
    added->set_type(type);
    return added;
  };
  for (const auto& [name, values] : node.lists) {
    onnx::AttributeProto* const list = attribute(name, onnx::AttributeProto::INTS);
    for (const int64_t value : values) list->add_ints(value);
  }
  for (const auto& [name, value] : node.integers) attribute(name, onnx::AttributeProto::INT)->set_i(value);
  for (const auto& [name, value] : node.numbers) attribute(name, onnx::AttributeProto::FLOAT)->set_f(value);
}

void write_constant(const GraphConstant& constant, onnx::TensorProto& proto) {
  proto.set_name(constant.name);
  proto.set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t size : constant.shape) proto.add_dims(size);
  proto.set_raw_data(constant.values.data(), constant.values.size() * sizeof(float));
}

// Describes an input or output: any number n of images, then `sizes`.
void write_value(const std::string& name, std::initializer_list<int64_t> sizes, onnx::ValueInfoProto& proto) {
  proto.set_name(name);
  onnx::TypeProto::Tensor* const type = proto.mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  type->mutable_shape()->add_dim()->set_dim_param("n");
  for (const int64_t size : sizes) type->mutable_shape()->add_dim()->set_dim_value(size);
}

}  // namespace

extern "C" void crescendo_write_onnx(const Graph& graph, std::string& bytes) {
  onnx::ModelProto model;
  model.set_ir_version(onnx::IR_VERSION_2020_5_8);
  model.set_producer_name("crescendo");
  model.add_opset_import()->set_version(kOperators);
  onnx::GraphProto& proto = *model.mutable_graph();
  proto.set_name("model");
  for (const GraphNode& node : graph.nodes) write_node(node, *proto.add_node());
  for (const GraphConstant& constant : graph.constants) write_constant(constant, *proto.add_initializer());
  const ImageSize& size = graph.image_size;
  write_value(graph.input, {size.channels, size.height, size.width}, *proto.add_input());
  write_value(graph.output, {graph.classes}, *proto.add_output());
  require(model.ByteSizeLong() <= kMaxBytes, "export: ", model.ByteSizeLong(),
          " bytes are more than an ONNX file can hold");
  model.SerializeToString(&bytes);
}
