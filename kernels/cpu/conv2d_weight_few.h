// The weight gradient of one ghost batch where few input channels meet many outputs, as in the first layer of
// networks for pictures.
#pragma once

#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::CRESCENDO_CPU {

// Whether few_weight_gradient is to compute it.
bool uses_few_weight(const Conv2dGeometry&);

// Elements of workspace.
int64_t few_weight_workspace(const Conv2dGeometry&, int threads);

// x [ghost,h,w,c], dy [ghost,p,q,k] -> dweight [k,r,s,c] (=|+=)
void few_weight_gradient(const Conv2dGeometry&, int threads, const real* x, const real* dy, real* workspace,
                         real* dweight, Write);

}  // namespace crescendo::CRESCENDO_CPU
