// The forward pass of a model off training as a graph of named values: what an export to ONNX writes. The
// operators and their attributes are ONNX's (https://onnx.ai/onnx/operators), images [n,c,h,w].
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

// `model` is allocated. Throws std::invalid_argument if it cannot take images of that size.
Graph trace(const Model& model, const ImageSize& image_size);

}  // namespace crescendo
