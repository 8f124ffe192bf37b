// Direct computation of a convolution's weight gradient over one ghost batch, for few input channels and many
// output channels, as in the first layer of an image network.
#pragma once

#include "base/threads.h"
#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::CRESCENDO_CPU {

// Returns true if few_weight_gradient is the kernel to use for this geometry.
bool uses_few_weight(const Conv2dGeometry&);

// Returns the number of workspace elements that few_weight_gradient needs.
int64_t few_weight_workspace(const Conv2dGeometry&, int threads);

// Computes the weight gradient: x [ghost,h,w,c], dy [ghost,p,q,k] -> dweight [k,r,s,c] (=|+=).
void few_weight_gradient(const Conv2dGeometry&, const Threads& threads, const real* x, const real* dy,
                         real* workspace, real* dweight, Write);

}  // namespace crescendo::CRESCENDO_CPU
