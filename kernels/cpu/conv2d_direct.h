// Direct convolution: every product is computed. Accepts any filter size and stride.
#pragma once

#include <span>

#include "base/threads.h"
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/gather_convolution.h"

namespace crescendo::CRESCENDO_CPU {

// Returns the number of elements of the packed weights, [tile of out][r][s][in][width of tile].
int64_t packed_size(const GatherConvolution&);
// Returns the number of scratch elements that each thread needs.
int64_t direct_scratch_size(const GatherConvolution&);

// One convolution of source [images,h,w,in] with weights from pack_direct:
//   target (=|+=) source * packed, or, with an epilogue, target = epilogue(source * packed)
struct DirectConvolution {
  GatherConvolution convolution;
  const real* source;
  const real* packed;
  Epilogue epilogue;
  real* target;
  Write write;
};

// Computes convolutions whose targets have the same images, rows and columns. All of them compute one block
// of target pixels before the next block begins, so that a shared source or target stays in the cache.
// `scratch` holds, for each thread, the largest direct_scratch_size among the convolutions.
void run_direct(std::span<const DirectConvolution>, const Threads& threads, real* scratch);

}  // namespace crescendo::CRESCENDO_CPU
