// Convolutions of any filter and stride, each product computed.
#pragma once

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/gather_convolution.h"

namespace crescendo::CRESCENDO_CPU {

// Elements of the packed weights, [tile of out][r][s][in][width of tile], and of each thread's scratch.
int64_t packed_size(const GatherConvolution&);
int64_t direct_scratch_size(const GatherConvolution&);

// target (=|+=) the convolution of source [images,h,w,in] with packed weights (pack_direct), or what an
// epilogue makes of it, which replaces. `scratch` holds direct_scratch_size elements a thread.
void run_direct(const GatherConvolution&, int threads, const real* source, const real* packed,
                const Epilogue&, real* scratch, real* target, Write);

}  // namespace crescendo::CRESCENDO_CPU
