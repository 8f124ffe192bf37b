// A backend's convolutions by kernels of our own (implicit_conv2d.h), where they are asked for: in bf16, for
// the geometries they compute. The others are left to whoever derives, who asks computes() first.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <type_traits>

#include "kernels/cuda/implicit_conv2d.h"
#include "kernels/cuda/own_kernels.h"

namespace crescendo::cuda {

inline bool is_empty(const Conv2dGeometry& g) {
  return g.n * g.h * g.w * g.c * g.p * g.q * g.k * g.r * g.s == 0;
}

template <class T>
class OwnConvolutions : public OwnKernels<T> {
 public:
  OwnConvolutions(cudaStream_t stream, ConvolutionAlgorithm convolution)
      : OwnKernels<T>(stream),
        asked_for_(convolution == ConvolutionAlgorithm::own && std::is_same_v<T, bf16>) {}

  using OwnKernels<T>::workspace;
  size_t workspace(const Conv2dGeometry& g, const BatchNormGeometry& norm) const override {
    return is_empty(g) ? 0 : std::max(implicit_conv2d::workspace(g), workspace(norm));
  }

  // Sums are stored first (finish_convolution), whoever computes them.
  bool finishes_before_storing() const override { return false; }
  int64_t packed_weight_size(const Conv2dGeometry&) const override { return 0; }
  void pack_weight(const Conv2dGeometry&, const activation*, real*) override {}

  bool fuses_norm(const Conv2dGeometry& g) const override {
    return computes(g) && implicit_conv2d::normalises(g);
  }
  void norm_conv2d_forward(const Conv2dGeometry& g, const BatchNormGeometry& norm, const activation* x,
                           const NormOperands& operands, const activation* weight, const activation* residual,
                           activation* y, real* y_mean, real* y_variance) override {
    if (!begins_fused(g)) return;
    const InputNorm input{norm, operands};
    implicit_conv2d::forward(this->stream(), g, values_of(x), &input, values_of(weight),
                             {values_of(residual), values_of(y), y_mean, y_variance},
                             this->workspace_memory());
  }
  void norm_conv2d_backward_weight(const Conv2dGeometry& g, const BatchNormGeometry& norm,
                                   const activation* x, const NormOperands& operands, const activation* dy,
                                   real* dweight, Write write) override {
    if (!begins_fused(g)) return;
    const InputNorm input{norm, operands};
    implicit_conv2d::backward_weight(this->stream(), g, values_of(x), &input, values_of(dy), dweight, write,
                                     this->workspace_memory());
  }
  void norm_conv2d_backward_data(const Conv2dGeometry& g, const BatchNormGeometry& norm, const activation* x,
                                 const NormOperands& operands, const activation* dy, const activation* weight,
                                 activation* between, activation* dx, Write write_dx, real* dscale,
                                 real* dshift, Write write_parameters) override {
    if (!begins_fused(g)) return;
    own_backward_data(g, dy, weight, between, Write::overwrite);
    this->ghost_batch_norm_backward(norm, x, between, operands, dx, write_dx, dscale, dshift,
                                    write_parameters);
  }

 protected:
  // Whether the geometry, of no size zero, is for the functions below. They are those of Backend.
  bool computes(const Conv2dGeometry& g) const { return asked_for_ && implicit_conv2d::computes(g); }
  size_t own_workspace(const Conv2dGeometry& g) const { return implicit_conv2d::workspace(g); }
  void own_forward(const Conv2dGeometry& g, const activation* x, const activation* weight,
                   const ConvolutionEpilogue& epilogue, activation* y) {
    implicit_conv2d::forward(this->stream(), g, values_of(x), nullptr, values_of(weight),
                             {nullptr, values_of(y), nullptr, nullptr}, nullptr);
    this->finish_convolution(g, epilogue, y);
  }
  void own_backward_data(const Conv2dGeometry& g, const activation* dy, const activation* weight,
                         activation* dx, Write write) {
    implicit_conv2d::backward_data(this->stream(), g, values_of(dy), values_of(weight), values_of(dx), write);
  }
  void own_backward_weight(const Conv2dGeometry& g, const activation* x, const activation* dy, real* dweight,
                           Write write) {
    implicit_conv2d::backward_weight(this->stream(), g, values_of(x), nullptr, values_of(dy), dweight, write,
                                     this->workspace_memory());
  }

 private:
  static bf16* values_of(activation* x) { return reinterpret_cast<bf16*>(x); }
  static const bf16* values_of(const activation* x) { return reinterpret_cast<const bf16*>(x); }

  // False where there is nothing to do.
  bool begins_fused(const Conv2dGeometry& g) const {
    if (!fuses_norm(g)) throw std::logic_error("cuda: norm_conv2d: a geometry that is not fused");
    return !is_empty(g);
  }

  bool asked_for_;
};

}  // namespace crescendo::cuda
