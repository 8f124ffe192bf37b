// The devices that whole runs are tested on; each test program defines its own.
#pragma once

#include <functional>
#include <vector>

#include "engine/device.h"

namespace crescendo::test {

struct RunDevice {
  Precision precision;
  ConvolutionAlgorithm convolution;
  std::function<Device()> open;
};
std::vector<RunDevice> run_devices();

}  // namespace crescendo::test
