// Convolutions of our own, as matrix products on tensor cores whose operands are never laid out in memory:
// bf16, sums in fp32. docs/cuda.md says how. As in kernels/backend.h, without bias; none of the sizes is
// zero.
#pragma once

#include <cuda_runtime.h>

#include "kernels/backend.h"
#include "kernels/cuda/bf16.h"

namespace crescendo::cuda {

// What normalises a convolution's input on its way in.
struct InputNorm {
  BatchNormGeometry geometry;
  NormOperands operands;
};

namespace implicit_conv2d {

// Whether the geometry is one of these: c and k are multiples of 8, and a ghost batch is no larger than its
// indices.
bool computes(const Conv2dGeometry&);
// Whether its input may be normalised too.
bool normalises(const Conv2dGeometry&);

// Bytes that any function needs.
size_t workspace(const Conv2dGeometry&);

struct ForwardResult {
  const bf16* residual;  // added before y is rounded; or null
  bf16* y;
  real *mean, *variance;  // the moments of y; or null
};
// `norm` may be null.
void forward(cudaStream_t, const Conv2dGeometry&, const bf16* x, const InputNorm* norm, const bf16* weight,
             const ForwardResult&, void* workspace);
void backward_data(cudaStream_t, const Conv2dGeometry&, const bf16* dy, const bf16* weight, bf16* dx, Write);
// `norm` may be null.
void backward_weight(cudaStream_t, const Conv2dGeometry&, const bf16* x, const InputNorm* norm,
                     const bf16* dy, real* dweight, Write, void* workspace);

}  // namespace implicit_conv2d

}  // namespace crescendo::cuda
