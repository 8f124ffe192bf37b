// Residual networks for ImageNet: He et al., CVPR 2016 (arXiv 1512.03385), version 1.5: the stride of a
// bottleneck is that of its 3x3 convolution. Names and order of the parameters are torchvision's.
#pragma once

#include <optional>
#include <vector>

#include "engine/layers.h"
#include "models/model.h"

namespace crescendo {

// Depth 18, 34 (basic blocks), 50, 101 or 152 (bottlenecks): a 7x7 stem of 64 channels and a max pool, each
// of stride 2, four layers of blocks (all but the first start with stride 2), global average and linear
// layer. Initial values as in Goyal et al. 2017 (arXiv 1706.02677, section 5.1). Images of any size.
class ResNet : public Model {
 public:
  ResNet(int64_t depth, const ModelOptions& options);
  Tensor forward(Tape& tape, const Tensor& images) const override;

  static bool has_depth(int64_t depth);

 private:
  // Convolutions one after another, each but the last followed by its norm and ReLU; out = relu(norm(last) +
  // shortcut), the shortcut a 1x1 convolution and norm where the shape changes, else x.
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
