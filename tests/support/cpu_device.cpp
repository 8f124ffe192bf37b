#include "support/tested_device.h"

namespace crescendo::test {

Device tested_device(int threads) { return Device::cpu(threads); }

}  // namespace crescendo::test
