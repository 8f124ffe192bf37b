// 3x3, 1x3, 3x1, 1x7 and 7x1 convolutions, forward and backward data, by Winograd's algorithm: 3x3 with 2.25
// products an output of stride 1 instead of 9, and about 5 of stride 2; the others, of stride 1, with 1.5
// instead of 3 and 3 instead of 7.
#pragma once

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/gather_convolution.h"
#include "kernels/cpu/simd.h"

namespace crescendo::CRESCENDO_CPU {

// Whether run_winograd is to compute it.
bool uses_winograd(const GatherConvolution&, ConvolutionAlgorithm);

// Elements of the transformed weights [classes of points][tile of out][in][width of tile], and of each
// thread's scratch.
int64_t winograd_weights_size(const GatherConvolution&);
int64_t winograd_scratch_size(const GatherConvolution&);

constexpr int kMostWinogradTaps = 9;

// Transforms the weights of a vector of outputs, the first of them `out`, and a vector of inputs from `in`
// on: taps[r * taps_w + s][i] holds those of input in + i, zeros beyond the last output.
void transform_weights(const GatherConvolution&, int64_t out, int64_t in,
                       const Vector (&taps)[kMostWinogradTaps][kLanes], real* transformed);

// As run_direct; `scratch` holds winograd_scratch_size elements a thread.
void run_winograd(const GatherConvolution&, int threads, const real* source, const real* transformed,
                  const Epilogue&, real* scratch, real* target, Write);

}  // namespace crescendo::CRESCENDO_CPU
