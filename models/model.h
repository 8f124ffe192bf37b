// A model: a network with its parameters and a forward pass. Models are made by name.
#pragma once

#include <memory>
#include <string>

#include "engine/ops.h"
#include "engine/parameters.h"

namespace crescendo {

struct ModelOptions {
  int64_t classes = 10;
  int64_t image_channels = 3;
  double norm_momentum = 0.1;   // weight of the newest ghost batch in the running statistics
  bool zero_gamma = false;      // ResNets: the scale of each residual block's last norm starts at zero
  bool norm_scale = true;       // Inception-ResNet-v2: norms have a trained scale
  double auxiliary_weight = 0;  // Inception-ResNet-v2: weight of the auxiliary head's loss; 0: no such head
  double dropout_keep = 0.8;    // Inception-ResNet-v2: probability that a feature is kept
};

// The prefix of the auxiliary head's parameter names, without the dot that follows.
inline constexpr const char* kAuxiliaryHead = "auxiliary";

struct ModelOutputs {
  Tensor logits;     // [n,classes]
  Tensor auxiliary;  // [n,classes], the auxiliary head's logits; undefined without one and outside training
};

class Model {
 public:
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  virtual ~Model() = default;

  // Computes logits [n,classes] of images [n,h,w,c]. parameters.allocate() must have been called before.
  virtual Tensor forward(Tape&, const Tensor& images) const = 0;
  // Computes the logits and, in training, those of the auxiliary head, whose loss has the weight
  // options.auxiliary_weight.
  virtual ModelOutputs outputs(Tape& tape, const Tensor& images) const { return {forward(tape, images), {}}; }

  std::string name;
  ModelOptions options;
  ParameterStore parameters;
};

// Makes a model by name: "wrn-D-W" (wide ResNet of depth D = 6n + 4 and width factor W >= 1), "resnet-18",
// "-34", "-50", "-101", "-152", or "inception-resnet-v2". Throws std::invalid_argument for other names,
// naming the known ones, and for options that the model does not have.
std::unique_ptr<Model> make_model(const std::string& name, const ModelOptions& options = {});

}  // namespace crescendo
