// Lays out a convolution's weights in the order in which its inner loops read them.
#pragma once

#include "kernels/cpu/gather_convolution.h"

namespace crescendo::CRESCENDO_CPU {

// Packs weights for run_direct. The last tile is padded with zeros.
void pack_direct(const Gather&, int threads, const real* weight, real* packed);

// Transforms and packs weights for run_winograd.
void pack_winograd(const Gather&, int threads, const real* weight, real* transformed);

}  // namespace crescendo::CRESCENDO_CPU
