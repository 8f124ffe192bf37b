// The device of a run, as --device, --precision, --convolution, --threads and --instruction-set describe it.
#pragma once

#include <string>

#include "engine/device.h"
#include "trainer/options/options.h"

namespace crescendo {

// Throws std::invalid_argument unless the device is "cpu", "cuda" or "cuda:N" and supports the options'
// precision and convolution algorithm.
void validate_device(const TrainOptions& options);

// Returns true if the options' device supports this convolution algorithm in the options' precision.
bool has_convolution(const TrainOptions& options, ConvolutionAlgorithm convolution);

// Opens the device that the options describe. --device cuda is the GPU of this worker, whose number among those
// of its machine is `local_rank`. Throws std::invalid_argument if there is no such GPU.
Device open_device(const TrainOptions& options, int local_rank = 0);

// Returns the index of a worker's GPU among those that it may use: each has one of its own, or if it may use one
// only, that one. Throws std::invalid_argument if there are too few.
int gpu_of_worker(int local_rank, int gpus);

}  // namespace crescendo
