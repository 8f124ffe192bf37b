// Direct computation of a convolution's weight gradient over one ghost batch, for any filter size and stride.
#pragma once

#include "base/threads.h"
#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::CRESCENDO_CPU {

// Returns the number of workspace elements that ghost_weight_gradient needs.
int64_t weight_workspace(const Conv2dGeometry&, int threads);

// Computes the weight gradient: x [ghost,h,w,c], dy [ghost,p,q,k] -> dweight [k,r,s,c] (=|+=).
void ghost_weight_gradient(const Conv2dGeometry&, const Threads& threads, const real* x, const real* dy,
                           real* workspace, real* dweight, Write);

}  // namespace crescendo::CRESCENDO_CPU
