// Where a run computes: what --device and --precision name.
#pragma once

#include <string>

#include "engine/device.h"
#include "trainer/options.h"

namespace crescendo {

// Throws std::invalid_argument unless the device is "cpu", "cuda" or "cuda:N", and has the precision.
void validate_device(const std::string& device, Precision precision);

// Of the options' device, precision, threads, convolution and instruction set. Throws std::invalid_argument
// where there is no such GPU.
Device open_device(const TrainOptions& options);

}  // namespace crescendo
