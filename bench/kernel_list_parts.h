// The pieces that the lists of kernels are put together from, a function for each group of kernels.
#pragma once

#include "kernel_list.h"

namespace crescendo::bench {

inline void add(KernelList& list, const std::string& kernel, const std::string& geometry, const Work& work,
                std::function<Call(Backend&)> prepare) {
  list.push_back({.name = kernel + "/" + geometry,
                  .work = work,
                  .times_in_model = 0,
                  .prepare = std::move(prepare),
                  .prepare_peer = {}});
}

void add_convolution(KernelList&, const Conv2dGeometry&, int times_in_model);  // its three passes
// Its three passes with the norm before it, residual and moments behind it.
void add_norm_convolution(KernelList&, const Conv2dGeometry&);
void add_linear(KernelList&, const LinearGeometry&);
void add_bias(KernelList&, const BiasGeometry&);
void add_batch_norm(KernelList&, const BatchNormGeometry&);
void add_pooling(KernelList&, const Pool2dGeometry&);
void add_cross_entropy(KernelList&, const CrossEntropyGeometry&);
void add_pointwise(KernelList&, int64_t n);        // between convolutions: ReLU and additions
void add_other_pointwise(KernelList&, int64_t n);  // dropout, copies of channels, conversions
void add_flat(KernelList&, int64_t n);             // over flat stores, but for the optimizers
void add_optimizers(KernelList&, int64_t n);

}  // namespace crescendo::bench
