#include "support/run_devices.h"

namespace crescendo::test {

std::vector<RunDevice> run_devices() {
  std::vector<RunDevice> devices;
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16})
    devices.push_back({precision, [precision] { return Device::cuda(0, precision); }});
  return devices;
}

}  // namespace crescendo::test
