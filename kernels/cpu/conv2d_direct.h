// Convolutions of any filter and stride, each product computed.
#pragma once

#include "kernels/cpu/gather_convolution.h"

namespace crescendo {

// Elements of the packed weights: [tile of out][r][s][in][width of tile], and of the zeros read outside the
// borders.
int64_t packed_size(const GatherConvolution&);
int64_t zeros_size(const GatherConvolution&);

// `packed` holds the packed weights and then the zeros, both written by the caller (pack_weights, std::fill).
void run_direct(const GatherConvolution&, int threads, const real* source, const real* packed,
                const real* bias, real* target, Write);

}  // namespace crescendo
