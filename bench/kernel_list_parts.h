// The parts of the kernel lists: a function for each group of kernels.
#pragma once

#include "kernel_list.h"
#include "operands.h"

namespace crescendo::bench {

// Adds one kernel. `make` returns the call; the benchmark's name and work follow from it.
KernelBenchmark& add(KernelList&, const std::function<KernelCall(Operands&)>& make);

// Returns the operands of a norm: noise, but variances of 1.
NormOperands norm_operands(const BatchNormGeometry&, Operands&);

void add_convolution(KernelList&, const Conv2dGeometry&, int times_in_model);
void add_norm_convolution(KernelList&, const Conv2dGeometry&);
void add_linear(KernelList&, const LinearGeometry&);
void add_bias(KernelList&, const BiasGeometry&);
void add_batch_norm(KernelList&, const BatchNormGeometry&);
void add_pooling(KernelList&, const Pool2dGeometry&);
void add_cross_entropy(KernelList&, const CrossEntropyGeometry&);
void add_pointwise(KernelList&, int64_t n);        // between convolutions: ReLU, scaling and addition
void add_other_pointwise(KernelList&, int64_t n);  // dropout and copies of channels
void add_transfers(KernelList&, int64_t n);        // upload and download of activations
void add_flat(KernelList&, int64_t n);             // over flat stores, without the optimizers
void add_optimizers(KernelList&, int64_t n);

}  // namespace crescendo::bench
