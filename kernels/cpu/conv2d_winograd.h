// Winograd's algorithm for 3x3, 1x3, 3x1, 1x7 and 7x1 convolutions, forward and backward data. Products per
// output, against direct convolution:
//   3x3 with stride 1         2.25 instead of 9
//   3x3 with stride 2         about 5 instead of 9
//   1x3 and 3x1, stride 1     1.5 instead of 3
//   1x7 and 7x1, stride 1     3 instead of 7
#pragma once

#include "base/threads.h"
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/gather_convolution.h"
#include "kernels/cpu/simd.h"

namespace crescendo::CRESCENDO_CPU {

// Returns true if run_winograd is the kernel to use for this convolution.
bool uses_winograd(const GatherConvolution&, ConvolutionAlgorithm);

// Returns the number of elements of the transformed weights,
// [class of points][tile of out][in][width of tile].
int64_t winograd_weights_size(const GatherConvolution&);
// Returns the number of scratch elements that each thread needs.
int64_t winograd_scratch_size(const GatherConvolution&);

constexpr int kMostWinogradTaps = 9;

// Transforms the weights of one vector of output channels, starting at `out`, and one vector of input
// channels, starting at `in`. taps[r * taps_w + s][i] holds the weights of tap (r, s) and input in + i, with
// zeros beyond the last output.
void transform_weights(const GatherConvolution&, int64_t out, int64_t in,
                       const Vector (&taps)[kMostWinogradTaps][kLanes], real* transformed);

// Computes a convolution as run_direct does. `transformed` comes from pack_winograd. `scratch` holds
// winograd_scratch_size elements for each thread.
void run_winograd(const GatherConvolution&, const Threads& threads, const real* source,
                  const real* transformed, const Epilogue&, real* scratch, real* target, Write);

}  // namespace crescendo::CRESCENDO_CPU
