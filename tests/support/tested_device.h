// The device that a test computes on; each test program defines its own.
#pragma once

#include "engine/device.h"

namespace crescendo::test {

// Results must not depend on the number of threads.
Device tested_device(int threads = 0);

}  // namespace crescendo::test
