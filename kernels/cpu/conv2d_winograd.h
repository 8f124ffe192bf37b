// 3x3 convolutions, forward and backward data, with 2.25 products an output of stride 1 instead of 9, and
// about 5 of stride 2.
#pragma once

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/gather_convolution.h"
#include "kernels/cpu/simd.h"

namespace crescendo::CRESCENDO_CPU {

// Whether run_winograd is to compute it.
bool uses_winograd(const GatherConvolution&, ConvolutionAlgorithm);

// Elements of the transformed weights [36][tile of out][in][width of tile], and of each thread's scratch.
int64_t winograd_weights_size(const GatherConvolution&);
int64_t winograd_scratch_size(const GatherConvolution&);

// Transforms the weights of a vector of outputs, the first of them `out`, and a vector of inputs from `in`
// on: taps[r * 3 + s][i] holds those of input in + i, zeros beyond the last output.
void transform_weights(const GatherConvolution&, int64_t out, int64_t in, const Vector (&taps)[9][kLanes],
                       real* transformed);

// As run_direct; `scratch` holds winograd_scratch_size elements a thread.
void run_winograd(const GatherConvolution&, int threads, const real* source, const real* transformed,
                  const Epilogue&, real* scratch, real* target, Write);

}  // namespace crescendo::CRESCENDO_CPU
