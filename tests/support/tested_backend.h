// The backend whose kernels a test is about; each test program defines its own.
#pragma once

#include "kernels/cpu/backend.h"

namespace crescendo::test {

inline InstructionSet tested_instruction_set = InstructionSet::automatic;  // set by main()

// What it computes must not depend on the number of threads; only the processor's knows algorithms.
std::unique_ptr<Backend> tested_backend(int threads,
                                        ConvolutionAlgorithm convolution = ConvolutionAlgorithm::automatic);

}  // namespace crescendo::test
