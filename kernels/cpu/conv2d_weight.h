// The weight gradient of one ghost batch.
#pragma once

#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::CRESCENDO_CPU {

// Elements of workspace.
int64_t weight_workspace(const Conv2dGeometry&, int threads);

// x [ghost,h,w,c], dy [ghost,p,q,k] -> dweight [k,r,s,c] (=|+=)
void ghost_weight_gradient(const Conv2dGeometry&, int threads, const real* x, const real* dy, real* workspace,
                           real* dweight, Write);

}  // namespace crescendo::CRESCENDO_CPU
