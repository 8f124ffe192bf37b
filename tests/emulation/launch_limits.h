// CUDA's limits on launches.
#pragma once

#include "emulation/emulator.h"

namespace crescendo::emulation {

// Throws Error, naming what is beyond its limit.
void check_limits(const Launch& launch);

}  // namespace crescendo::emulation
