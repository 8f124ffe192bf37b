// The weight gradient of one ghost batch of a 3x3 convolution, with 36 products for every 144 of stride 1, or
// 81 of stride 2.
#pragma once

#include "kernels/cpu/winograd_strips.h"
#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::CRESCENDO_CPU {

// Whether winograd_weight_gradient is to compute it.
bool uses_winograd_weight(const Conv2dGeometry&, ConvolutionAlgorithm);

// Elements of workspace.
int64_t winograd_weight_workspace(const Conv2dGeometry&, int threads);

// x [ghost,h,w,c] as `input` makes it, dy [ghost,p,q,k] -> dweight [k,3,3,c] (=|+=)
template <class Input>
void winograd_weight_gradient(const Conv2dGeometry&, int threads, const real* x, const Input& input,
                              const real* dy, real* workspace, real* dweight, Write);
extern template void winograd_weight_gradient(const Conv2dGeometry&, int, const real*,
                                              const winograd::AsTheyAre&, const real*, real*, real*, Write);
extern template void winograd_weight_gradient(const Conv2dGeometry&, int, const real*,
                                              const winograd::Normalised&, const real*, real*, real*, Write);

}  // namespace crescendo::CRESCENDO_CPU
