// Inception-ResNet-v2 for ImageNet (Szegedy et al., AAAI 2017, arXiv 1602.07261), in TF-slim's version. The
// parameters have timm's names and order.
#pragma once

#include <optional>
#include <vector>

#include "models/inception_blocks.h"

namespace crescendo {

// A stem; 10 residual blocks on a grid of 35x35, 20 on 17x17 and 10 on 8x8 (for images of 299x299); a head of
// 1x1 convolution, global average pooling, dropout and linear layer. Images must be at least 75x75, or
// 299x299 to train with the auxiliary head.
class InceptionResNetV2 : public Model {
 public:
  explicit InceptionResNetV2(const ModelOptions& given);
  Tensor forward(Tape& tape, const Tensor& images) const override;
  ModelOutputs outputs(Tape& tape, const Tensor& images) const override;

 private:
  // Branches of convolutions, and one that averages over 3x3 pixels before its convolution.
  struct Mixed5b {
    std::vector<Branch> branches;
    Branch smoothed;
    Tensor operator()(Tape& tape, const Tensor& x) const;
  };
  // The auxiliary classifier on the 17x17 grid, as in TF-slim.
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
