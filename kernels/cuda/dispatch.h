// Decides which kernel computes a call: one of our own, or a library's with our own before and after it. The
// tests run the same dispatch on the processor, with stand-ins for the libraries.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/library_kernels.h"
#include "kernels/cuda/own_convolutions.h"
#include "kernels/cuda/own_kernels.h"

namespace crescendo::cuda {

// T is the type of activations: float or bf16.
template <class T>
class Dispatch {
 public:
  // Context and libraries must outlive this object.
  Dispatch(const LaunchContext& context, ConvolutionLibrary& convolutions, MatrixLibrary& products,
           ConvolutionAlgorithm);

  // Starts the call's kernels. context.workspace must have workspace(call) bytes.
  void run(const KernelCall& call);
  // Returns the bytes of workspace that the call needs, as Backend::workspace does.
  size_t workspace(const KernelCall& call) const;

  static Capabilities capabilities() {
    return {.is_host = false,
            .activation_bytes = sizeof(T),
            .finishes_before_storing = false,
            .stores_among_channels = true};
  }
  bool fuses_norm(const Conv2dGeometry& g) const { return own_convolutions_.fuses_norm(g); }

 private:
  // One function for each call, so that a call without one does not compile. The template takes the calls
  // that are always our own kernels'.
  template <class Call>
  requires requires(OwnKernels<T> own, const Call& call) { own.compute(call); }
  void compute(const Call& call) { own_.compute(call); }
  void compute(const PackWeight&) {}  // packed_weight_size is 0
  void compute(const Conv2dForward&);
  void compute(const Conv2dBackwardData&);
  void compute(const Conv2dBackwardWeight&);
  void compute(const SiblingConv2dForward&);
  void compute(const SiblingConv2dBackwardData&);
  void compute(const NormConv2dForward&);
  void compute(const NormConv2dBackwardWeight&);
  void compute(const NormConv2dBackwardData&);
  void compute(const LinearForward&);
  void compute(const LinearBackwardData&);
  void compute(const LinearBackwardWeight&);

  void compute_ghosts(const Conv2dBackwardWeight&);

  size_t workspace_for(const Conv2dGeometry&) const;
  size_t workspace_for(const Conv2dGeometry&, const BatchNormGeometry&) const;
  size_t workspace_for(const LinearGeometry&) const;
  size_t workspace_for(const BatchNormGeometry& g) const { return OwnKernels<T>::workspace(g); }
  size_t workspace_for(const BiasGeometry& g) const { return OwnKernels<T>::workspace(g); }
  // Returns the library's part of a convolution's workspace. Behind it is room for a weight gradient in bf16.
  size_t library_workspace(const Conv2dGeometry&) const;

  const LaunchContext& context_;
  ConvolutionLibrary& convolutions_;
  MatrixLibrary& products_;
  OwnKernels<T> own_;
  OwnConvolutions own_convolutions_;
};

extern template class Dispatch<float>;
extern template class Dispatch<bf16>;

}  // namespace crescendo::cuda
