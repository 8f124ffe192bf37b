// Winograd's algorithm for a convolution's weight gradient over one ghost batch. For a 3x3 filter, a tile of
// 4x4 outputs takes 36 products with stride 1, or 81 with stride 2, instead of 144.
#pragma once

#include "base/threads.h"
#include "kernels/cpu/winograd_strips.h"
#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::CRESCENDO_CPU {

// Returns true if winograd_weight_gradient is the kernel to use for this geometry.
bool uses_winograd_weight(const Conv2dGeometry&, ConvolutionAlgorithm);

// Returns the number of workspace elements that winograd_weight_gradient needs.
int64_t winograd_weight_workspace(const Conv2dGeometry&, int threads);

// Computes the weight gradient: input(x [ghost,h,w,c]), dy [ghost,p,q,k] -> dweight [k,r,s,c] (=|+=). `input`
// is AsTheyAre or Normalised (winograd_strips.h); the pixels of x pass through it while they are read.
template <class Input>
void winograd_weight_gradient(const Conv2dGeometry&, const Threads& threads, const real* x,
                              const Input& input, const real* dy, real* workspace, real* dweight, Write);
extern template void winograd_weight_gradient(const Conv2dGeometry&, const Threads&, const real*,
                                              const winograd::AsTheyAre&, const real*, real*, real*, Write);
extern template void winograd_weight_gradient(const Conv2dGeometry&, const Threads&, const real*,
                                              const winograd::Normalised&, const real*, real*, real*, Write);

}  // namespace crescendo::CRESCENDO_CPU
