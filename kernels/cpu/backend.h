// The processor's backend: Eigen and OpenMP.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"

namespace crescendo {

// `threads` 0 means one per core (as OpenMP counts them).
std::unique_ptr<Backend> make_cpu_backend(int threads = 0,
                                          ConvolutionAlgorithm = ConvolutionAlgorithm::automatic);

// The instruction set the kernels were compiled for, e.g. "AVX2 FMA".
std::string cpu_instruction_set();

}  // namespace crescendo
