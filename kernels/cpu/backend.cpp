// Chooses at run time among the kernels compiled for each instruction set. Every other file of this folder is
// compiled once per instruction set, in a namespace named after the set (CRESCENDO_CPU). This file is
// compiled once, for any processor.
#include "kernels/cpu/backend.h"

#include <stdexcept>

namespace crescendo {

namespace avx512 {
std::unique_ptr<Backend> make_backend(int threads, ConvolutionAlgorithm);
}
namespace avx2 {
std::unique_ptr<Backend> make_backend(int threads, ConvolutionAlgorithm);
}
namespace generic {
std::unique_ptr<Backend> make_backend(int threads, ConvolutionAlgorithm);
}

std::unique_ptr<Backend> make_cpu_backend(int threads, ConvolutionAlgorithm convolution, InstructionSet set) {
  if (convolution == ConvolutionAlgorithm::own)
    throw std::invalid_argument("convolution: own needs --device cuda --precision bf16");
  switch (resolved(set)) {
#ifdef CRESCENDO_AVX512
    case InstructionSet::avx512:
      return avx512::make_backend(threads, convolution);
#endif
#ifdef CRESCENDO_AVX2
    case InstructionSet::avx2:
      return avx2::make_backend(threads, convolution);
#endif
#ifdef CRESCENDO_GENERIC
    case InstructionSet::generic:
      return generic::make_backend(threads, convolution);
#endif
    default:
      throw std::logic_error("no kernels for this instruction set");
  }
}

}  // namespace crescendo
