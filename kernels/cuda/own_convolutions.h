// Convolutions by our own kernels (implicit_conv2d.h), in bf16. They serve the geometries that computes()
// accepts, and only if a run asks for them.
#pragma once

#include "kernels/cuda/implicit_conv2d.h"
#include "kernels/cuda/launch_context.h"
#include "kernels/kernel_call.h"

namespace crescendo::cuda {

// No call may have a size of zero.
class OwnConvolutions {
 public:
  // The context must outlive this object. If not `enabled`, computes() and fuses_norm() accept nothing.
  OwnConvolutions(const LaunchContext& context, bool enabled) : context_(context), enabled_(enabled) {}

  // Returns true if the passes below serve the geometry.
  bool computes(const Conv2dGeometry& g) const { return enabled_ && implicit_conv2d::computes(g); }
  // Returns true if they normalise its input as well.
  bool fuses_norm(const Conv2dGeometry& g) const { return computes(g) && implicit_conv2d::normalises(g); }
  // Returns the bytes of workspace that any pass needs.
  static size_t workspace(const Conv2dGeometry& g) { return implicit_conv2d::workspace(g); }

  // Leaves the epilogue to the caller.
  void compute(const Conv2dForward& call) const {
    implicit_conv2d::forward(context_.stream, call.geometry, values_of(call.x), nullptr,
                             values_of(call.weight.values), {nullptr, values_of(call.y), nullptr, nullptr},
                             nullptr);
  }
  void compute(const Conv2dBackwardData& call) const {
    implicit_conv2d::backward_data(context_.stream, call.geometry, values_of(call.dy), values_of(call.weight),
                                   values_of(call.dx), call.write);
  }
  void compute(const Conv2dBackwardWeight& call) const {
    implicit_conv2d::backward_weight(context_.stream, call.geometry, values_of(call.x), nullptr,
                                     values_of(call.dy), call.dweight, call.write, call.ghost_stride,
                                     context_.workspace);
  }
  void compute(const NormConv2dForward& call) const {
    const InputNorm input{call.norm_geometry, call.norm};
    implicit_conv2d::forward(
        context_.stream, call.geometry, values_of(call.x), &input, values_of(call.weight),
        {values_of(call.residual), values_of(call.y), call.y_mean, call.y_variance}, context_.workspace);
  }
  void compute(const NormConv2dBackwardWeight& call) const {
    const InputNorm input{call.norm_geometry, call.norm};
    implicit_conv2d::backward_weight(context_.stream, call.geometry, values_of(call.x), &input,
                                     values_of(call.dy), call.dweight, call.write, call.ghost_stride,
                                     context_.workspace);
  }

 private:
  static bf16* values_of(activation* x) { return reinterpret_cast<bf16*>(x); }
  static const bf16* values_of(const activation* x) { return reinterpret_cast<const bf16*>(x); }

  const LaunchContext& context_;
  bool enabled_;
};

}  // namespace crescendo::cuda
