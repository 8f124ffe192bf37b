#include "support/tested_backend.h"
#include "support/tested_device.h"

namespace crescendo::test {

Device tested_device(int threads) { return Device(tested_backend(threads)); }

}  // namespace crescendo::test
