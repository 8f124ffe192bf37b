// The CPU backend, built on Eigen and OpenMP.
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/instruction_set.h"

namespace crescendo {

// Returns a CPU backend. With `threads` 0 it uses one thread per core, as OpenMP counts cores. Throws
// std::invalid_argument if the instruction set is not among instruction_sets(), or if the convolution
// algorithm exists on GPUs only.
std::unique_ptr<Backend> make_cpu_backend(int threads = 0,
                                          ConvolutionAlgorithm = ConvolutionAlgorithm::automatic,
                                          InstructionSet = InstructionSet::automatic);

}  // namespace crescendo
