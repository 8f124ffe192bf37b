// Layers: an op together with the parameters that it declares in a scope. Models are built of these.
#pragma once

#include "engine/ops.h"
#include "engine/parameters.h"

namespace crescendo {

class BatchNorm;
struct NormedChain;

struct Conv2dSpec {
  int64_t in = 0, out = 0;  // channels
  int64_t kernel_h = 3, kernel_w = 3;
  Conv2dOptions options{};
  bool bias = false;
};

// A convolution. Declares "weight" [out, r, s, in], drawn from N(0, 2 / fan_in) (He et al. 2015, eq. 10), and
// with spec.bias "bias" [out], zeros.
class Conv2d {
 public:
  Conv2d(const Scope& scope, const Conv2dSpec& spec);
  Tensor operator()(Tape& tape, const Tensor& x, ResidualSum join = {}) const;
  friend TensorWithMoments norm_conv2d(Tape&, const BatchNorm&, const Conv2d&, const TensorWithMoments& x,
                                       const Tensor& residual);
  friend Tensor conv2d_norm(Tape&, const Conv2d&, const BatchNorm&, const Tensor& x, Tensor residual,
                            const Tensor& destination);
  friend std::vector<Tensor> sibling_chains(Tape&, std::span<const NormedChain>, const Tensor& x);

 private:
  Conv2dOptions options_;
  ParameterHandle weight_, bias_;
};

// Scale of a norm: a parameter that starts at one or at zero, or fixed at one and no parameter.
enum class NormScale { from_one, from_zero, fixed };

// A ghost batch norm. Declares the parameters "weight" (scale) and "bias" (shift, zeros), and the statistics
// "running_mean" (zeros) and "running_var" (ones).
class BatchNorm {
 public:
  BatchNorm(const Scope& scope, int64_t channels, const BatchNormOptions& options,
            NormScale scale = NormScale::from_one);
  // Returns act(norm(x) + residual).
  // The residual is optional; so is a destination (ops.h), without a residual.
  Tensor operator()(Tape& tape, const TensorWithMoments& x, const Tensor& residual = {},
                    const Tensor& destination = {}) const;
  NormLayer layer() const;

 private:
  BatchNormOptions options_;
  ParameterHandle scale_, shift_;
  StatisticHandle running_mean_, running_variance_;
};

// Returns convolution(norm(x)) + residual in one op. The residual is optional. Throws std::logic_error if the
// convolution has a bias.
TensorWithMoments norm_conv2d(Tape& tape, const BatchNorm& norm, const Conv2d& convolution,
                              const TensorWithMoments& x, const Tensor& residual = {});

// Returns act(norm(convolution(x)) + residual). The residual is optional; so is a destination (ops.h),
// without a residual. Throws std::logic_error if the convolution has a bias.
Tensor conv2d_norm(Tape& tape, const Conv2d& convolution, const BatchNorm& norm, const Tensor& x,
                   Tensor residual = {}, const Tensor& destination = {});

// Returns x after one or more convolutions, each followed by its norm. The optional residual is added in the
// last norm, and an optional destination takes the last result. Training fuses a norm with the convolution
// after it if it can, evaluation with the convolution before it. Evaluation reuses the memory of x and the
// residual if the caller moves them in.
Tensor normed_convolutions(Tape& tape, std::span<const Conv2d> convolutions, std::span<const BatchNorm> norms,
                           Tensor x, Tensor residual = {}, const Tensor& destination = {});

// Arguments of normed_convolutions, without a residual.
struct NormedChain {
  std::span<const Conv2d> convolutions;
  std::span<const BatchNorm> norms;
  Tensor destination;
};

// Returns normed_convolutions of one x for each chain. The first convolutions of all chains are computed
// together; they must be 1x1, of stride 1, without padding or bias.
std::vector<Tensor> sibling_chains(Tape& tape, std::span<const NormedChain> chains, const Tensor& x);

// A linear layer. Declares "weight" [out, in], drawn from N(0, spread^2), and "bias" [out], zeros.
class Linear {
 public:
  // `spread` 0 stands for 1 / sqrt(in), which keeps the logits of order one.
  Linear(const Scope& scope, int64_t in, int64_t out, double spread = 0);
  Tensor operator()(Tape& tape, const Tensor& x) const;

 private:
  ParameterHandle weight_, bias_;
};

}  // namespace crescendo
