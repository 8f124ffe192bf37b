// Lays out a convolution's weights in the order in which its inner loops read them.
#pragma once

#include "base/threads.h"
#include "kernels/cpu/gather_convolution.h"

namespace crescendo::CRESCENDO_CPU {

// Packs weights for run_direct. The last tile is padded with zeros.
void pack_direct(const Gather&, const Threads& threads, const real* weight, real* packed);

// Transforms and packs weights for run_winograd.
void pack_winograd(const Gather&, const Threads& threads, const real* weight, real* transformed);

}  // namespace crescendo::CRESCENDO_CPU
