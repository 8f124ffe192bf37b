// A network: parameters, and a forward pass that can be taped. Models are made by name.
#pragma once

#include <memory>
#include <string>

#include "engine/ops.h"
#include "engine/parameters.h"

namespace crescendo {

struct ModelOptions {
  int64_t classes = 10;
  int64_t image_channels = 3;
  double norm_momentum = 0.1;  // weight of the newest ghost batch in the running statistics
};

class Model {
 public:
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  virtual ~Model() = default;

  // images [n,h,w,c] -> logits [n,classes]. parameters.allocate() must have run.
  virtual Tensor forward(Tape&, const Tensor& images) const = 0;

  std::string name;
  ModelOptions options;
  ParameterStore parameters;
};

// "wrn-D-W": wide ResNet of depth D = 6n + 4 and width factor W >= 1.
// Throws std::invalid_argument, naming the models there are, for anything else.
std::unique_ptr<Model> make_model(const std::string& name, const ModelOptions& options = {});

}  // namespace crescendo
