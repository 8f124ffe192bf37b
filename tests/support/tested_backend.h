// The backend whose kernels a test is about.
#pragma once

#include "kernels/cpu/backend.h"

namespace crescendo::test {

inline InstructionSet tested_instruction_set = InstructionSet::automatic;  // set by main()

inline std::unique_ptr<Backend> cpu_backend(
    int threads, ConvolutionAlgorithm convolution = ConvolutionAlgorithm::automatic) {
  return make_cpu_backend(threads, convolution, tested_instruction_set);
}

}  // namespace crescendo::test
