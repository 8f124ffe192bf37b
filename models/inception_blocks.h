// What Inception-ResNet-v2 is built of: branches of convolutions that read one tensor and are put side by
// side, and the residual blocks they make.
#pragma once

#include <span>
#include <vector>

#include "engine/layers.h"
#include "models/model.h"

namespace crescendo {

struct Filter {
  int64_t out, height, width;
  int64_t stride = 1;
  bool padded = true;  // so that stride 1 keeps the size
};

// Convolutions one after another, each with its norm (epsilon 1e-3) and ReLU. Named "conv" and "bn" in the
// scope; where there are several, in those of their numbers.
class Branch {
 public:
  Branch(const Scope& scope, int64_t in, std::span<const Filter> filters, const ModelOptions& options);
  Branch(const Scope& scope, int64_t in, const Filter& filter, const ModelOptions& options)
      : Branch(scope, in, std::span(&filter, 1), options) {}
  // To its place in a Concatenation, unless that is undefined.
  Tensor operator()(Tape& tape, const Tensor& x, const Tensor& place = {}) const;
  int64_t width() const { return width_; }  // channels of the result
  bool begins_pointwise() const { return begins_pointwise_; }
  NormedChain chain(Tensor place) const { return {convolutions_, norms_, std::move(place)}; }

 private:
  int64_t width_;
  bool begins_pointwise_;  // by a 1x1 convolution of stride 1
  std::vector<Conv2d> convolutions_;
  std::vector<BatchNorm> norms_;
};

// Adds to `parts` what the branches make of x.
void add_branches(Tape& tape, std::span<const Branch> branches, const Tensor& x, Concatenation& parts);

// What the branches "branch0", "branch1"... make of x, side by side: of stride 1; or, where `pool` is set, of
// stride 2, and x through a 3x3 max pool of stride 2 beside them.
class Branches {
 public:
  Branches(const Scope& scope, int64_t in, const std::vector<std::vector<Filter>>& branches, bool pool,
           const ModelOptions& options);
  Tensor operator()(Tape& tape, const Tensor& x) const;

 private:
  std::vector<Branch> branches_;
  bool pool_;
  int64_t width_;  // channels of the result
};

struct InceptionBlockSpec {
  int64_t channels;
  std::vector<std::vector<Filter>> branches;
  double scale;
  bool relu = true;
};

// act(x + scale * widened), where a 1x1 convolution "conv2d" with a bias widens the branches to the channels
// of x; act is ReLU, or nothing.
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
