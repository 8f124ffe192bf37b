// The CPU backend, built on Eigen.
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/instruction_set.h"

namespace crescendo {

// Returns a CPU backend. With `threads` 0 it uses default_threads() (base/threads.h). Throws
// std::invalid_argument if the instruction set is not among instruction_sets(), or if the convolution
// algorithm exists on GPUs only.
std::unique_ptr<Backend> make_cpu_backend(int threads = 0,
                                          ConvolutionAlgorithm = ConvolutionAlgorithm::automatic,
                                          InstructionSet = InstructionSet::automatic);

}  // namespace crescendo
