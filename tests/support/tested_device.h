// The device that tests compute on. Each test program defines this function.
#pragma once

#include "engine/device.h"

namespace crescendo::test {

// Returns a fresh device. Results must not depend on the number of threads.
Device tested_device(int threads = 0);

}  // namespace crescendo::test
