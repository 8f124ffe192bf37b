// Our own convolutions in bf16 with sums in fp32: matrix products on tensor cores whose operands are never
// laid out in memory (docs/cuda.md). The passes are those of kernels/calls/convolution.h without an epilogue.
// None of the sizes may be zero.
#pragma once

#include <cuda_runtime.h>

#include "kernels/backend.h"
#include "kernels/cuda/bf16.h"

namespace crescendo::cuda {

// The norm that is applied to a convolution's input while it is read.
struct InputNorm {
  BatchNormGeometry geometry;
  NormOperands operands;
};

namespace implicit_conv2d {

// Returns true if c and k are multiples of 8 and 32-bit indices suffice for a ghost batch.
bool computes(const Conv2dGeometry&);
// Returns true if the input can be normalised as well.
bool normalises(const Conv2dGeometry&);

// Returns the bytes of workspace that any pass needs.
size_t workspace(const Conv2dGeometry&);

struct ForwardResult {
  const bf16* residual;   // [n,p,q,k], added before y is rounded; or null
  bf16* y;                // [n,p,q,k]
  real *mean, *variance;  // [ghosts,k], the moments of y; or null
};
// `norm` may be null.
void forward(cudaStream_t, const Conv2dGeometry&, const bf16* x, const InputNorm* norm, const bf16* weight,
             const ForwardResult&, void* workspace);
void backward_data(cudaStream_t, const Conv2dGeometry&, const bf16* dy, const bf16* weight, bf16* dx, Write);
// `norm` may be null.
void backward_weight(cudaStream_t, const Conv2dGeometry&, const bf16* x, const InputNorm* norm,
                     const bf16* dy, real* dweight, Write, int64_t ghost_stride, void* workspace);

}  // namespace implicit_conv2d

}  // namespace crescendo::cuda
