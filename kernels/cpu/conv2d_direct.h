// Convolutions of any filter and stride, each product computed.
#pragma once

#include <span>

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/gather_convolution.h"

namespace crescendo::CRESCENDO_CPU {

// Elements of the packed weights, [tile of out][r][s][in][width of tile], and of each thread's scratch.
int64_t packed_size(const GatherConvolution&);
int64_t direct_scratch_size(const GatherConvolution&);

// target (=|+=) the convolution of source [images,h,w,in] with packed weights (pack_direct), or what the
// epilogue makes of it, which replaces.
struct DirectConvolution {
  GatherConvolution convolution;
  const real* source;
  const real* packed;
  Epilogue epilogue;
  real* target;
  Write write;
};

// Several that have the same target pixels, one after another for each block of them, so that a source or a
// target that they share is in the cache. `scratch` holds, a thread, the most direct_scratch_size elements
// that one of them needs.
void run_direct(std::span<const DirectConvolution>, int threads, real* scratch);

}  // namespace crescendo::CRESCENDO_CPU
