// Residual networks for ImageNet (He et al., CVPR 2016, arXiv 1512.03385), in version 1.5: the 3x3
// convolution of a bottleneck has the stride. The parameters have torchvision's names and order.
#pragma once

#include <optional>
#include <vector>

#include "engine/layers.h"
#include "models/model.h"

namespace crescendo {

// A ResNet of depth 18 or 34 (basic blocks), or 50, 101 or 152 (bottlenecks): a 7x7 stem with 64 channels and
// a max pool, both of stride 2; four layers of blocks, of which all but the first start with stride 2; global
// average pooling and a linear layer. Initial values as in Goyal et al. 2017 (arXiv 1706.02677, section 5.1).
// Images may have any size.
class ResNet : public Model {
 public:
  ResNet(int64_t depth, const ModelOptions& options);
  Tensor forward(Tape& tape, const Tensor& images) const override;

  static bool has_depth(int64_t depth);

 private:
  // A residual block: convolutions one after another, each with its norm. ReLU follows each norm except the
  // last:
  //   out = relu(last norm + shortcut)
  // The shortcut is x, or where the shape changes a 1x1 convolution and norm of x.
  struct Block {
    std::vector<Conv2d> convolutions;
    std::vector<BatchNorm> norms;
    std::optional<Conv2d> projection;
    std::optional<BatchNorm> projection_norm;
    Tensor operator()(Tape& tape, Tensor x) const;
  };
  struct BlockShape {
    int64_t in, width, stride;
    bool bottleneck;
    int64_t out() const { return bottleneck ? 4 * width : width; }
  };
  static std::vector<Block> make_blocks(const Scope& scope, int64_t depth, const ModelOptions& options);
  static Block make_block(const Scope& scope, const BlockShape& shape, const ModelOptions& options);

  Conv2d stem_;
  BatchNorm stem_norm_;
  std::vector<Block> blocks_;
  Linear head_;
};

}  // namespace crescendo
