// The backend whose kernels are tested. Each test program defines these functions.
#pragma once

#include <vector>

#include "kernels/cpu/backend.h"

namespace crescendo::test {

inline InstructionSet tested_instruction_set = InstructionSet::automatic;  // set by main()

// Returns a fresh backend. Its results must not depend on the number of threads.
std::unique_ptr<Backend> tested_backend(int threads,
                                        ConvolutionAlgorithm convolution = ConvolutionAlgorithm::automatic);

// Returns the algorithms to test convolutions with. The last one fuses norms for as many geometries as any.
std::vector<ConvolutionAlgorithm> tested_algorithms();

// Returns false if the backend leaves convolutions of this geometry to another library's kernels.
bool is_tested(const Conv2dGeometry&);

}  // namespace crescendo::test
