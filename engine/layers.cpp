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

Tensor BatchNorm::operator()(Tape& tape, const Tensor& x, const Tensor& residual) const {
  const NormLayer norm = layer();
  return ghost_batch_norm(tape, x, norm.scale, norm.shift, norm.statistics, norm.options, residual);
}

Tensor norm_conv2d(Tape& tape, const BatchNorm& norm, const Conv2d& convolution, const Tensor& x,
                   const Tensor& residual) {
  if (convolution.bias_) throw std::logic_error("norm_conv2d: the convolution has a bias");
  return norm_conv2d(tape, x, norm.layer(), convolution.weight_->value, convolution.options_, residual);
}

Tensor conv2d_norm(Tape& tape, const Conv2d& convolution, const BatchNorm& norm, const Tensor& x,
                   Tensor residual, const Tensor& place) {
  if (convolution.bias_) throw std::logic_error("conv2d_norm: the convolution has a bias");
  return conv2d_norm(tape, x, convolution.weight_->value, convolution.options_, norm.layer(),
                     std::move(residual), place);
}

Tensor normed_convolutions(Tape& tape, std::span<const Conv2d> convolutions, std::span<const BatchNorm> norms,
                           Tensor x, Tensor residual, const Tensor& place) {
  const size_t last = convolutions.size() - 1;
  if (tape.is_training()) {
    Tensor y = convolutions[0](tape, x);
    for (size_t i = 1; i <= last; ++i) y = norm_conv2d(tape, norms[i - 1], convolutions[i], y);
    return norms[last](tape, y, residual);
  }
  for (size_t i = 0; i < last; ++i) x = conv2d_norm(tape, convolutions[i], norms[i], x);
  return conv2d_norm(tape, convolutions[last], norms[last], x, std::move(residual), place);
}

Linear::Linear(const Scope& scope, int64_t in, int64_t out, double spread)
    : weight_(scope.parameter("weight", {out, in}, ParameterKind::weight,
                              {.spread = spread > 0 ? spread : 1 / std::sqrt(static_cast<double>(in))})),
      bias_(scope.parameter("bias", {out}, ParameterKind::bias, {})) {}

Tensor Linear::operator()(Tape& tape, const Tensor& x) const {
  return linear(tape, x, weight_->value, bias_->value);
}

}  // namespace crescendo
