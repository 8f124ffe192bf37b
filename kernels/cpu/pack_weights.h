// Lays out a convolution's weights as its inner loops read them.
#pragma once

#include "kernels/cpu/gather_convolution.h"

namespace crescendo::CRESCENDO_CPU {

// For run_direct; the last tile is padded with zeros.
void pack_direct(const Gather&, int threads, const real* weight, real* packed);

// For Winograd's algorithm: transformed.
void pack_winograd(const Gather&, int threads, const real* weight, real* transformed);

}  // namespace crescendo::CRESCENDO_CPU
