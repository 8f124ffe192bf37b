// Layers: an op together with the parameters it declares in a scope. WRN and friends are built of these.
#pragma once

#include "engine/ops.h"
#include "engine/parameters.h"

namespace crescendo {

class BatchNorm;
struct NormedChain;

struct Conv2dSpec {
  int64_t in = 0, out = 0;
  int64_t kernel_h = 3, kernel_w = 3;
  Conv2dOptions options{};
  bool bias = false;
};

// Declares "weight" [out, r, s, in], drawn from N(0, 2 / fan_in) (He et al. 2015, eq. 10), and "bias" of
// zeros.
class Conv2d {
 public:
  Conv2d(const Scope& scope, const Conv2dSpec& spec);
  Tensor operator()(Tape& tape, const Tensor& x, ResidualSum join = {}) const;
  friend Tensor norm_conv2d(Tape&, const BatchNorm&, const Conv2d&, const Tensor& x, const Tensor& residual);
  friend Tensor conv2d_norm(Tape&, const Conv2d&, const BatchNorm&, const Tensor& x, Tensor residual,
                            const Tensor& place);
  friend std::vector<Tensor> sibling_chains(Tape&, std::span<const NormedChain>, const Tensor& x);

 private:
  Conv2dOptions options_;
  ParameterHandle weight_, bias_;
};

// The scale of a norm: trained from one on, or from zero, or one for ever and no parameter.
enum class NormScale { from_one, from_zero, fixed };

// Declares "weight" (scale), "bias" (shift, zeros), "running_mean" (zeros) and "running_var" (ones).
class BatchNorm {
 public:
  BatchNorm(const Scope& scope, int64_t channels, const BatchNormOptions& options,
            NormScale scale = NormScale::from_one);
  // act(norm(x) + residual), the residual optional; without one, to its place in a Concatenation, unless that
  // is undefined
  Tensor operator()(Tape& tape, const Tensor& x, const Tensor& residual = {}, const Tensor& place = {}) const;
  NormLayer layer() const;

 private:
  BatchNormOptions options_;
  ParameterHandle scale_, shift_;
  StatisticHandle running_mean_, running_variance_;
};

// convolution(norm(x)) + residual, the residual optional, in one op. The convolution must have no bias.
Tensor norm_conv2d(Tape& tape, const BatchNorm& norm, const Conv2d& convolution, const Tensor& x,
                   const Tensor& residual = {});

// norm(convolution(x)) with the residual, which is optional, as the norm has it; to its place in a
// Concatenation, unless that is undefined. No bias here either.
Tensor conv2d_norm(Tape& tape, const Conv2d& convolution, const BatchNorm& norm, const Tensor& x,
                   Tensor residual = {}, const Tensor& place = {});

// x through one or more convolutions, one after another, each with its norm; the residual, optional, joins in
// the last. Training fuses a norm with the convolution behind it where it can, evaluation with the one before
// it. Where the caller hands over x and the residual, evaluation reuses their memory. `place`: of the last
// result, as above.
Tensor normed_convolutions(Tape& tape, std::span<const Conv2d> convolutions, std::span<const BatchNorm> norms,
                           Tensor x, Tensor residual = {}, const Tensor& place = {});

// The arguments of normed_convolutions; no residual.
struct NormedChain {
  std::span<const Conv2d> convolutions;
  std::span<const BatchNorm> norms;
  Tensor place;
};

// normed_convolutions of one x for each chain. Their first convolutions, which must be 1x1 of stride 1
// without padding or bias, are computed together.
std::vector<Tensor> sibling_chains(Tape& tape, std::span<const NormedChain> chains, const Tensor& x);

// Declares "weight" [out, in] and "bias" [out] of zeros; weights are drawn from N(0, spread^2), by default
// spread^2 = 1 / in, which keeps the logits of order one.
class Linear {
 public:
  Linear(const Scope& scope, int64_t in, int64_t out, double spread = 0);
  Tensor operator()(Tape& tape, const Tensor& x) const;

 private:
  ParameterHandle weight_, bias_;
};

}  // namespace crescendo
