// The parts of Inception-ResNet-v2. A block has several branches of convolutions, which all read one tensor;
// their results are concatenated along the channels.
#pragma once

#include <span>
#include <vector>

#include "engine/layers.h"
#include "models/model.h"

namespace crescendo {

// The shape of one convolution.
struct Filter {
  int64_t out, height, width;  // output channels, kernel height and width
  int64_t stride = 1;
  bool padded = true;  // true: zero padding, so that stride 1 keeps the size; false: none
};

// Convolutions one after another, each followed by its norm (epsilon 1e-3) and ReLU. Their parameters are
// "conv" and "bn" in the scope; if there are several convolutions, each has an inner scope "0", "1", ...
class Branch {
 public:
  Branch(const Scope& scope, int64_t in, std::span<const Filter> filters, const ModelOptions& options);
  Branch(const Scope& scope, int64_t in, const Filter& filter, const ModelOptions& options)
      : Branch(scope, in, std::span(&filter, 1), options) {}
  // Writes the result to the destination if it is defined.
  Tensor operator()(Tape& tape, const Tensor& x, const Tensor& destination = {}) const;
  int64_t width() const { return width_; }  // channels of the result
  bool begins_pointwise() const { return begins_pointwise_; }
  NormedChain chain(Tensor destination) const { return {convolutions_, norms_, std::move(destination)}; }

 private:
  int64_t width_;
  bool begins_pointwise_;  // the first convolution is 1x1 with stride 1
  std::vector<Conv2d> convolutions_;
  std::vector<BatchNorm> norms_;
};

// Applies the branches to x and adds their results to `parts`, in order.
void add_branches(Tape& tape, std::span<const Branch> branches, const Tensor& x, Concatenation& parts);

// Applies the branches "branch0", "branch1", ... to x and concatenates the results. With `pool`, the branches
// have stride 2, and the result of a 3x3 max pool of stride 2 is concatenated too.
class Branches {
 public:
  Branches(const Scope& scope, int64_t in, const std::vector<std::vector<Filter>>& branches, bool pool,
           const ModelOptions& options);
  Tensor operator()(Tape& tape, const Tensor& x) const;

 private:
  std::vector<Branch> branches_;
  bool pool_;
  int64_t width_;  // output channels
};

struct InceptionBlockSpec {
  int64_t channels;  // of x and of the result
  std::vector<std::vector<Filter>> branches;
  double scale;      // factor of the branches in the residual sum
  bool relu = true;  // apply ReLU to the sum
};

// A residual block: act(x + scale * conv2d(branches(x))). The 1x1 convolution "conv2d" has a bias and gives
// as many channels as x has. act is ReLU or the identity.
class InceptionBlock {
 public:
  InceptionBlock(const Scope& scope, const InceptionBlockSpec& spec, const ModelOptions& options);
  Tensor operator()(Tape& tape, Tensor x) const;

 private:
  Branches branches_;
  Conv2d widen_;
  double scale_;
  bool relu_;
};

}  // namespace crescendo
