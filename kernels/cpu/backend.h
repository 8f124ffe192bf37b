// The processor's backend: Eigen and OpenMP.
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/instruction_set.h"

namespace crescendo {

// `threads` 0 means one per core (as OpenMP counts them). Throws std::invalid_argument if the instruction set
// is not among instruction_sets(), or the convolution is a GPU's.
std::unique_ptr<Backend> make_cpu_backend(int threads = 0,
                                          ConvolutionAlgorithm = ConvolutionAlgorithm::automatic,
                                          InstructionSet = InstructionSet::automatic);

}  // namespace crescendo
