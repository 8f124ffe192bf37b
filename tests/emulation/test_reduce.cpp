#include <doctest/doctest.h>

#include <vector>

#include "emulation/emulator.h"
#include "kernels/cuda/reduce.cuh"

namespace crescendo::cuda {
namespace {

// Two reductions through the same shared memory, one straight after the other.
__global__ void sum_and_largest(const int* values, int* sums, int* largest) {
  const int value = values[threadIdx.x];
  int* shared = dynamic_shared<int>();
  const int sum = block_reduce(value, shared, [](int a, int b) { return a + b; });
  const int most = block_reduce(value, shared, [](int a, int b) { return a > b ? a : b; });
  sums[threadIdx.x] = sum;
  largest[threadIdx.x] = most;
}

}  // namespace

TEST_CASE("block_reduce gives every thread the result, and its shared memory may be used again") {
  for (const auto schedule : emulation::all_schedules())
    for (const unsigned seed : {0U, 1U})
      for (const unsigned threads : {32U, 64U, 96U, 256U, 1024U}) {
        const emulation::WithSchedule guard(schedule, seed);
        std::vector<int> values(threads), sums(threads), largest(threads);
        int sum = 0;
        for (unsigned i = 0; i < threads; ++i) sum += values[i] = static_cast<int>(i * 7919 % 1009);
        const int most = *std::max_element(values.begin(), values.end());
        launch(nullptr, {dim3(1), threads, threads / kWarp * sizeof(int)}, sum_and_largest, values.data(),
               sums.data(), largest.data());
        CHECK(sums == std::vector<int>(threads, sum));
        CHECK(largest == std::vector<int>(threads, most));
      }
}

}  // namespace crescendo::cuda
