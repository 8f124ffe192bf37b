// Inception-ResNet-v2 for ImageNet: Szegedy et al., AAAI 2017 (arXiv 1602.07261), as TF-slim has it. Names
// and order of the parameters are timm's.
#pragma once

#include <optional>
#include <vector>

#include "models/inception_blocks.h"

namespace crescendo {

// A stem, 10 residual blocks on a grid of 35x35, 20 on 17x17, 10 on 8x8, and a head of 1x1 convolution,
// global average, dropout and linear layer; the grids are those of an image of 299x299. Images are at least
// 75x75; 299x299 where the auxiliary head is trained.
class InceptionResNetV2 : public Model {
 public:
  explicit InceptionResNetV2(const ModelOptions& given);
  Tensor forward(Tape& tape, const Tensor& images) const override;
  ModelOutputs outputs(Tape& tape, const Tensor& images) const override;

 private:
  // 1x1 and 3x3 convolutions of one grid and another, and a smoothed branch.
  struct Mixed5b {
    std::vector<Branch> branches;
    Branch smoothed;
    Tensor operator()(Tape& tape, const Tensor& x) const;
  };
  // From the 17x17 grid; TF-slim's.
  struct AuxiliaryHead {
    Branch branch;
    Linear classifier;
    Tensor operator()(Tape& tape, const Tensor& x) const;
  };
  static Mixed5b make_mixed_5b(const Scope& scope, const ModelOptions& options);
  static std::vector<InceptionBlock> make_blocks(const Scope& scope, int64_t count,
                                                 const InceptionBlockSpec& spec, const ModelOptions& options);
  static std::optional<AuxiliaryHead> make_auxiliary_head(const Scope& scope, const ModelOptions& options);

  Tensor to_17x17(Tape& tape, const Tensor& images) const;
  Tensor to_logits(Tape& tape, const Tensor& x) const;

  Branch conv2d_1a_, conv2d_2a_, conv2d_2b_, conv2d_3b_, conv2d_4a_;
  Mixed5b mixed_5b_;
  std::vector<InceptionBlock> repeat_;
  Branches mixed_6a_;
  std::vector<InceptionBlock> repeat_1_;
  Branches mixed_7a_;
  std::vector<InceptionBlock> repeat_2_;
  InceptionBlock block8_;
  Branch conv2d_7b_;
  Linear classifier_;
  std::optional<AuxiliaryHead> auxiliary_head_;
};

}  // namespace crescendo
