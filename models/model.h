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
  double norm_momentum = 0.1;   // weight of the newest ghost batch in the running statistics
  bool zero_gamma = false;      // ResNets: the last norm's scale of each residual block starts at zero
  bool norm_scale = true;       // Inception-ResNet-v2: norms have a trained scale
  double auxiliary_weight = 0;  // Inception-ResNet-v2: of the auxiliary head's loss; 0: there is no such head
  double dropout_keep = 0.8;    // Inception-ResNet-v2: probability that a feature is kept
};

// The names of an auxiliary head's parameters begin with this and a dot.
inline constexpr const char* kAuxiliaryHead = "auxiliary";

struct ModelOutputs {
  Tensor logits;     // [n,classes]
  Tensor auxiliary;  // [n,classes] of the auxiliary head; undefined off training, and where there is none
};

class Model {
 public:
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  virtual ~Model() = default;

  // images [n,h,w,c] -> logits [n,classes]. parameters.allocate() must have run.
  virtual Tensor forward(Tape&, const Tensor& images) const = 0;
  // The same, with what training needs besides: the auxiliary logits enter the loss with
  // options.auxiliary_weight.
  virtual ModelOutputs outputs(Tape& tape, const Tensor& images) const { return {forward(tape, images), {}}; }

  std::string name;
  ModelOptions options;
  ParameterStore parameters;
};

// "wrn-D-W": wide ResNet of depth D = 6n + 4 and width factor W >= 1; "resnet-18", "-34", "-50", "-101",
// "-152"; "inception-resnet-v2". Throws std::invalid_argument, naming the models there are, for anything
// else, and for an option that the model does not have.
std::unique_ptr<Model> make_model(const std::string& name, const ModelOptions& options = {});

}  // namespace crescendo
