// Main function of the GPU tests. Without a GPU the program skips them (exit code 77).
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <iostream>

#include "kernels/cuda/backend.h"

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  try {
    crescendo::make_cuda_backend(0, crescendo::Precision::fp32);
  } catch (const std::invalid_argument& error) {
    std::cerr << "skipped: " << error.what() << '\n';
    return kSkipped;
  }
  return doctest::Context(argc, argv).run();
}
