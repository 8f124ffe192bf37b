#include "engine/layers.h"

#include <cmath>
#include <stdexcept>

namespace crescendo {

Conv2d::Conv2d(const Scope& scope, const Conv2dSpec& spec) : options_(spec.options) {
  const double fan_in = static_cast<double>(spec.in * spec.kernel_h * spec.kernel_w);
  weight_ = scope.parameter("weight", {spec.out, spec.kernel_h, spec.kernel_w, spec.in},
                            ParameterKind::weight, {.spread = std::sqrt(2 / fan_in)});
  if (spec.bias) bias_ = scope.parameter("bias", {spec.out}, ParameterKind::bias, {});
}

Tensor Conv2d::operator()(Tape& tape, const Tensor& x, ResidualSum join) const {
  return conv2d(tape, x, weight_->value, options_, bias_ ? bias_->value : Tensor(), std::move(join));
}

BatchNorm::BatchNorm(const Scope& scope, int64_t channels, const BatchNormOptions& options, NormScale scale)
    : options_(options),
      scale_(scale == NormScale::fixed
                 ? scope.ones("weight", channels)
                 : scope.parameter("weight", {channels}, ParameterKind::norm,
                                   {.value = scale == NormScale::from_one ? 1.0 : 0.0})),
      shift_(scope.parameter("bias", {channels}, ParameterKind::norm, {})),
      running_mean_(scope.statistic("running_mean", {channels}, 0)),
      running_variance_(scope.statistic("running_var", {channels}, 1)) {}

NormLayer BatchNorm::layer() const {
  return {
      scale_->value,
      shift_->value,
      {running_mean_->value, running_variance_->value, running_mean_->pending, running_variance_->pending},
      options_};
}

Tensor BatchNorm::operator()(Tape& tape, const TensorWithMoments& x, const Tensor& residual,
                             const Tensor& destination) const {
  const NormLayer norm = layer();
  return ghost_batch_norm(tape, x, norm.scale, norm.shift, norm.statistics, norm.options, residual,
                          destination);
}

TensorWithMoments norm_conv2d(Tape& tape, const BatchNorm& norm, const Conv2d& convolution,
                              const TensorWithMoments& x, const Tensor& residual) {
  if (convolution.bias_) throw std::logic_error("norm_conv2d: the convolution has a bias");
  return norm_conv2d(tape, x, norm.layer(), convolution.weight_->value, convolution.options_, residual);
}

Tensor conv2d_norm(Tape& tape, const Conv2d& convolution, const BatchNorm& norm, const Tensor& x,
                   Tensor residual, const Tensor& destination) {
  if (convolution.bias_) throw std::logic_error("conv2d_norm: the convolution has a bias");
  return conv2d_norm(tape, x, convolution.weight_->value, convolution.options_, norm.layer(),
                     std::move(residual), destination);
}

namespace {

// Applies a chain from its second convolution on. y is the result of the first,
// in evaluation already normalised.
Tensor rest_of_chain(Tape& tape, const NormedChain& chain, Tensor y, Tensor residual) {
  const auto& [convolutions, norms, destination] = chain;
  const size_t last = convolutions.size() - 1;
  if (tape.is_training()) {
    TensorWithMoments sum = std::move(y);
    for (size_t i = 1; i <= last; ++i) sum = norm_conv2d(tape, norms[i - 1], convolutions[i], sum);
    return norms[last](tape, sum, residual, destination);
  }
  if (last == 0) return y;
  for (size_t i = 1; i < last; ++i) y = conv2d_norm(tape, convolutions[i], norms[i], y);
  return conv2d_norm(tape, convolutions[last], norms[last], y, std::move(residual), destination);
}

}  // namespace

Tensor normed_convolutions(Tape& tape, std::span<const Conv2d> convolutions, std::span<const BatchNorm> norms,
                           Tensor x, Tensor residual, const Tensor& destination) {
  if (tape.is_training())
    x = convolutions[0](tape, x);
  else if (convolutions.size() == 1)
    return conv2d_norm(tape, convolutions[0], norms[0], x, std::move(residual), destination);
  else
    x = conv2d_norm(tape, convolutions[0], norms[0], x);
  return rest_of_chain(tape, {convolutions, norms, destination}, std::move(x), std::move(residual));
}

std::vector<Tensor> sibling_chains(Tape& tape, std::span<const NormedChain> chains, const Tensor& x) {
  std::vector<Tensor> weights;
  std::vector<SiblingNorm> layers;
  for (const auto& [convolutions, norms, destination] : chains) {
    if (convolutions[0].bias_) throw std::logic_error("sibling_chains: a first convolution has a bias");
    weights.push_back(convolutions[0].weight_->value);
    layers.push_back({weights.back(), norms[0].layer(), convolutions.size() == 1 ? destination : Tensor()});
  }
  std::vector<Tensor> results =
      tape.is_training() ? sibling_conv2d(tape, x, weights) : sibling_conv2d_norm(tape, x, layers);
  for (size_t i = 0; i < chains.size(); ++i)
    results[i] = rest_of_chain(tape, chains[i], std::move(results[i]), {});
  return results;
}

Linear::Linear(const Scope& scope, int64_t in, int64_t out, double spread)
    : weight_(scope.parameter("weight", {out, in}, ParameterKind::weight,
                              {.spread = spread > 0 ? spread : 1 / std::sqrt(static_cast<double>(in))})),
      bias_(scope.parameter("bias", {out}, ParameterKind::bias, {})) {}

Tensor Linear::operator()(Tape& tape, const Tensor& x) const {
  return linear(tape, x, weight_->value, bias_->value);
}

}  // namespace crescendo
