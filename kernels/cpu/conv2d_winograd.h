// 3x3 convolutions of stride 1, forward and backward data, with 2.25 products an output instead of 9.
#pragma once

#include "kernels/cpu/gather_convolution.h"

namespace crescendo {

// Whether run_winograd is to compute it.
bool uses_winograd(const GatherConvolution&, ConvolutionAlgorithm);

// Elements of the transformed weights [36][tile of out][in][width of tile], and of each thread's scratch.
int64_t winograd_weights_size(const GatherConvolution&);
int64_t winograd_scratch_size(const GatherConvolution&);

// Transforms the weights of one tile of outputs and `count` inputs from `first` on; `weights` holds them as
// [in][r][s][width of tile], padded with zeros.
void transform_weights(const GatherConvolution&, int64_t tile, int64_t first, int64_t count,
                       const real* weights, real* transformed);

// As run_direct; `scratch` holds winograd_scratch_size elements a thread.
void run_winograd(const GatherConvolution&, int threads, const real* source, const real* transformed,
                  const real* bias, real* scratch, real* target, Write);

}  // namespace crescendo
