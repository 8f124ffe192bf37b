// Where and how a run computes: what --device, --precision and --convolution name.
#pragma once

#include <string>

#include "engine/device.h"
#include "trainer/options/options.h"

namespace crescendo {

// Throws std::invalid_argument unless the options' device is "cpu", "cuda" or "cuda:N", and has the precision
// and the convolution.
void validate_device(const TrainOptions& options);

// Whether the options' device, in their precision, has convolutions by this algorithm.
bool has_convolution(const TrainOptions& options, ConvolutionAlgorithm convolution);

// Of the options' device, precision, threads, convolution and instruction set. Throws std::invalid_argument
// where there is no such GPU.
Device open_device(const TrainOptions& options);

}  // namespace crescendo
