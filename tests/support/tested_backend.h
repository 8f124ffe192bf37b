// The backend whose kernels a test is about; each test program defines its own.
#pragma once

#include <vector>

#include "kernels/cpu/backend.h"

namespace crescendo::test {

inline InstructionSet tested_instruction_set = InstructionSet::automatic;  // set by main()

// What it computes must not depend on the number of threads.
std::unique_ptr<Backend> tested_backend(int threads,
                                        ConvolutionAlgorithm convolution = ConvolutionAlgorithm::automatic);

// By which its convolutions are tested; the last fuses as many norms as any.
std::vector<ConvolutionAlgorithm> tested_algorithms();

// Whether its convolutions of this geometry are tested: not those that it leaves to another's kernels.
bool is_tested(const Conv2dGeometry&);

}  // namespace crescendo::test
