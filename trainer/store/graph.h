// The forward pass of a model in evaluation as a graph of named values, for export to ONNX. Operators and
// attributes are those of ONNX (https://onnx.ai/onnx/operators); images are [n, c, h, w].
#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "models/model.h"

namespace crescendo {

struct GraphNode {
  std::string op;
  std::vector<std::string> inputs;
  std::string output{};
  std::map<std::string, std::vector<int64_t>> lists{};  // attributes, by kind
  std::map<std::string, int64_t> integers{};
  std::map<std::string, float> numbers{};
};

struct GraphConstant {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
};

struct Graph {
  std::vector<GraphNode> nodes{};  // each after those whose outputs it reads
  std::vector<GraphConstant> constants{};
  std::string input = "images", output = "logits";
  ImageSize image_size{};
  int64_t classes = 0;
};

// Returns the graph of `model`, which must be allocated. Throws std::invalid_argument if the model cannot
// take images of that size.
Graph trace(const Model& model, const ImageSize& image_size);

}  // namespace crescendo
