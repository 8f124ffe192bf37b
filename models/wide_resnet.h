// Wide residual networks for 32x32 images (Zagoruyko & Komodakis, BMVC 2016, arXiv 1605.07146).
#pragma once

#include <optional>
#include <vector>

#include "engine/layers.h"
#include "models/model.h"

namespace crescendo {

// A wide ResNet of depth D = 6n + 4 and width factor W: a 3x3 stem with 16 channels; three groups of n
// pre-activation blocks with 16W, 32W and 64W channels, of which the second and third start with stride 2; a
// head of norm, ReLU, global average pooling and linear layer.
class WideResNet : public Model {
 public:
  WideResNet(int64_t depth, int64_t width, const ModelOptions& options);
  Tensor forward(Tape& tape, const Tensor& images) const override;

 private:
  // A residual block:
  //   o = relu(bn0(x))
  //   z = conv1(relu(bn1(conv0(o))))
  //   out = z + convdim(o) where the number of channels changes, else z + x
  struct Block {
    BatchNorm bn0;
    Conv2d conv0;
    BatchNorm bn1;
    Conv2d conv1;
    std::optional<Conv2d> convdim;
    TensorWithMoments operator()(Tape& tape, const TensorWithMoments& x) const;
  };
  static std::vector<Block> make_blocks(const Scope& scope, int64_t depth, int64_t width,
                                        const BatchNormOptions& norm);
  static Block make_block(const Scope& scope, int64_t in, int64_t out, int64_t stride,
                          const BatchNormOptions& norm);

  BatchNormOptions norm_options_;
  Conv2d stem_;
  std::vector<Block> blocks_;
  BatchNorm norm_;
  Linear head_;
};

}  // namespace crescendo
