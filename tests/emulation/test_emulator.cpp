// The emulator's facilities, each by a small kernel under every schedule, and its errors.
#include <cuda_runtime.h>
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "emulation/sanitizers.h"

namespace crescendo::emulation {
namespace {

constexpr unsigned kAllLanes = 0xFFFFFFFF;

// Launches kernel(values...), each converted to the parameter's type.
template <class... P, class... V>
void start(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, V... values) {
  const auto call = [&](P... parameters) {
    void* arguments[] = {&parameters..., nullptr};
    cudaLaunchKernel(kernel, grid, block, arguments, shared_bytes);  // throws where it fails
  };
  call(values...);
}

template <class Action>
void under_every_schedule(const Action& action) {
  for (const Schedule schedule : all_schedules())
    for (uint32_t seed = 0; seed < 3; ++seed) {
      const WithSchedule guard(schedule, seed);
      action();
    }
}

template <class... P, class... V>
std::string error_of(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, V... values) {
  try {
    start(kernel, grid, block, shared_bytes, values...);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

__global__ void block_sums(const int* x, int* sums) {
  int* shared = static_cast<int*>(emulated_shared_memory());
  shared[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = shared[0];
}

struct Place {
  uint3 block, thread;
};

__global__ void note_places(Place* places) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  places[block * blockDim.x * blockDim.y * blockDim.z + thread] = {blockIdx, threadIdx};
}

template <class T>
__global__ void shuffles(T* results) {  // [lane][5]
  const auto lane = static_cast<int>(threadIdx.x);
  const T value = static_cast<T>(100 + lane);
  T* result = results + 5 * lane;
  result[0] = __shfl_sync(kAllLanes, value, (lane + 3) % warpSize);
  result[1] = __shfl_up_sync(kAllLanes, value, 2);
  result[2] = __shfl_down_sync(kAllLanes, value, 2);
  result[3] = __shfl_xor_sync(kAllLanes, value, 5);
  result[4] = __shfl_down_sync(kAllLanes, value, 3, 8);
}

template <class T>
void check_shuffles() {
  std::vector<T> results(5 * kWarpSize);
  start(shuffles<T>, 1, kWarpSize, 0, results.data());
  for (unsigned lane = 0; lane < kWarpSize; ++lane) {
    const unsigned expected[] = {(lane + 3) % 32, lane < 2 ? lane : lane - 2, lane > 29 ? lane : lane + 2,
                                 lane ^ 5, lane % 8 > 4 ? lane : lane + 3};
    for (unsigned k = 0; k < 5; ++k) CHECK(results[5 * lane + k] == static_cast<T>(100 + expected[k]));
  }
}

__global__ void segments(int* results) {  // [lane][3], in segments of 8 lanes
  const auto lane = static_cast<int>(threadIdx.x);
  results[3 * lane] = __shfl_sync(kAllLanes, lane, 9, 8);
  results[3 * lane + 1] = __shfl_up_sync(kAllLanes, lane, 3, 8);
  results[3 * lane + 2] = __shfl_xor_sync(kAllLanes, lane, 8, 8);
}

__global__ void votes(unsigned* results, int limit) {  // [thread][4]
  const auto i = static_cast<int>(threadIdx.x);
  unsigned* result = results + 4 * i;
  result[0] = __ballot_sync(kAllLanes, i < limit);
  result[1] = static_cast<unsigned>(__any_sync(kAllLanes, i < limit));
  result[2] = static_cast<unsigned>(__all_sync(kAllLanes, i < limit));
  __syncwarp();
  result[3] = __ballot_sync(i % 2 == 0 ? 0x55555555 : 0xAAAAAAAA, 1);
}

__global__ void copy_below(const int* x, int* y, int n) {
  const auto i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  y[i] = x[i];
}

struct Line {
  double slope;
  float offset;
  int16_t n;
};

__global__ void evaluate(Line line, const double* x, double* y) {
  const unsigned i = threadIdx.x;
  if (i < static_cast<unsigned>(line.n)) y[i] = line.slope * x[i] + static_cast<double>(line.offset);
  line.slope = 0;  // its own copy
}

__global__ void look_at_shared(unsigned* bytes, int* nans, size_t n) {
  const auto* memory = static_cast<const unsigned char*>(emulated_shared_memory());
  if (threadIdx.x == 0) *bytes = static_cast<unsigned>(reinterpret_cast<uintptr_t>(memory) % 128);
  for (size_t i = threadIdx.x; i < n / sizeof(double); i += blockDim.x)
    nans[i] = std::isnan(reinterpret_cast<const double*>(memory)[i]) +
              std::isnan(reinterpret_cast<const float*>(memory)[2 * i]);
}

__global__ void nothing() {}
__global__ void nothing_with_consent() {}

// Faults of a kernel, by number.
__global__ void misuse(int how) {
  const auto i = static_cast<int>(threadIdx.x);
  switch (how) {
    case 0:
      if (i == 3) return;
      __syncthreads();
      break;
    case 1:
      if (i < 7)
        __syncthreads();
      else
        __syncthreads();
      break;
    case 2:
      if (i == 3) return;
      __syncwarp();
      break;
    case 3:
      __ballot_sync(0xFFFF, 1);
      break;
    case 4:
      if (i < 16)
        __syncwarp();
      else
        __syncwarp();
      break;
    case 5:
      if (i < 16) __shfl_xor_sync(0xFFFF, i, 16);
      break;
    case 6:
      if (i < 16)
        __syncwarp();
      else
        __syncthreads();
      break;
    case 7:
      __shfl_xor_sync(kAllLanes, i, 1, 12);
      break;
    case 8:
      start(nothing, 1, 1, 0);
      break;
    default:
      if (i == 5) throw std::out_of_range("thread 5");
      __syncthreads();
  }
}

__global__ void write_at(int place) {
  if (threadIdx.x == 0) static_cast<char*>(emulated_shared_memory())[place] = 1;
}

}  // namespace

TEST_CASE("barriers and dynamic shared memory add up a block") {
  under_every_schedule([] {
    for (const unsigned threads : {1U, 32U, 64U, 256U, 1024U}) {
      std::vector<int> x(3 * threads), sums(3), expected(3);
      std::iota(x.begin(), x.end(), 1);
      for (unsigned i = 0; i < x.size(); ++i) expected[i / threads] += x[i];
      start(block_sums, 3, threads, threads * sizeof(int), x.data(), sums.data());
      CHECK(sums == expected);
    }
  });
}

TEST_CASE("grids and blocks have three dimensions") {
  under_every_schedule([] {
    const dim3 grid(3, 2, 4), block(5, 3, 2);
    std::vector<Place> places(grid.size() * block.size());
    start(note_places, grid, block, 0, places.data());
    size_t wrong = 0;
    for (unsigned i = 0; i < places.size(); ++i) {
      const Place& p = places[i];
      const unsigned thread = p.thread.x + 5 * (p.thread.y + 3 * p.thread.z);
      wrong += p.block.x >= 3 || p.block.y >= 2 || p.thread.x >= 5 || p.thread.y >= 3;
      wrong += 30 * (p.block.x + 3 * (p.block.y + 2 * p.block.z)) + thread != i;
    }
    CHECK(wrong == 0);
  });
}

TEST_CASE("shuffles move every type") {
  under_every_schedule([] {
    check_shuffles<int>();
    check_shuffles<float>();
    check_shuffles<double>();
    check_shuffles<uint8_t>();
    check_shuffles<int64_t>();
  });
}

TEST_CASE("shuffles stay in their segments") {
  under_every_schedule([] {
    std::vector<int> results(3 * kWarpSize);
    start(segments, 1, kWarpSize, 0, results.data());
    for (int lane = 0; lane < 32; ++lane) {
      CHECK(results[3 * lane] == lane / 8 * 8 + 1);
      CHECK(results[3 * lane + 1] == (lane % 8 < 3 ? lane : lane - 3));
      CHECK(results[3 * lane + 2] == (lane / 8 % 2 == 0 ? lane : lane - 8));  // earlier segments are open
    }
  });
}

TEST_CASE("votes count the lanes that there are") {
  under_every_schedule([] {
    constexpr unsigned kThreads = 45;  // a partial last warp of 13
    std::vector<unsigned> results(4 * kThreads);
    start(votes, 1, kThreads, 0, results.data(), 40);
    CHECK(results[0] == kAllLanes);
    CHECK(results[2] == 1);
    CHECK(results[3] == 0x55555555);
    const unsigned* last = results.data() + 4 * 44;
    CHECK(last[0] == 0xFF);
    CHECK(last[1] == 1);
    CHECK(last[2] == 0);
    CHECK(last[3] == 0x1555);
  });
}

TEST_CASE("threads may exit early where nobody waits for them") {
  under_every_schedule([] {
    std::vector<int> x(100), y(100, -1);
    std::iota(x.begin(), x.end(), 0);
    start(copy_below, 2, 64, 0, x.data(), y.data(), 100);
    CHECK(x == y);
  });
}

TEST_CASE("arguments of any type are copied for each thread") {
  under_every_schedule([] {
    const std::vector<double> x = {1, 2, 3, 4};
    std::vector<double> y(4);
    start(evaluate, 1, 32, 0, Line{2, 0.5F, 3}, x.data(), y.data());
    CHECK(y == std::vector<double>{2.5, 4.5, 6.5, 0});
  });
}

TEST_CASE("shared memory is aligned and NaN before each block") {
  under_every_schedule([] {
    unsigned misaligned = 1;
    std::vector<int> nans(100);
    start(block_sums, 1, 256, 1024, std::vector<int>(256).data(), nans.data());
    start(look_at_shared, 1, 32, 800, &misaligned, nans.data(), size_t{800});
    CHECK(misaligned == 0);
    CHECK(nans == std::vector<int>(100, 2));
  });
}

TEST_CASE("launches beyond CUDA's limits are refused") {
  CHECK(contains(error_of(nothing, 0, 32, 0), "a grid of (0, 1, 1) blocks"));
  CHECK(contains(error_of(nothing, dim3(0x80000000), 32, 0), "a grid of"));
  CHECK(contains(error_of(nothing, dim3(1, 65536), 32, 0), "a grid of"));
  CHECK(contains(error_of(nothing, dim3(1, 1, 65536), 32, 0), "a grid of"));
  CHECK(contains(error_of(nothing, 1, 0, 0), "a block of (0, 1, 1) threads"));
  CHECK(contains(error_of(nothing, 1, 1025, 0), "a block of"));
  CHECK(contains(error_of(nothing, 1, dim3(32, 33), 0), "a block of"));
  CHECK(contains(error_of(nothing, 1, dim3(1, 1, 65), 0), "a block of"));
  CHECK(error_of(nothing, 1, dim3(32, 32), 48 * 1024) == "");
  CHECK(contains(error_of(nothing, 1, 32, 48 * 1024 + 1), "49153 bytes of shared memory, but 49152"));
}

TEST_CASE("a kernel may have more shared memory by consent") {
  constexpr auto kAttribute = cudaFuncAttributeMaxDynamicSharedMemorySize;
  CHECK(cudaFuncSetAttribute(nothing_with_consent, kAttribute, 227 * 1024 + 1) == cudaErrorInvalidValue);
  CHECK(cudaFuncSetAttribute(nothing_with_consent, kAttribute, 227 * 1024) == cudaSuccess);
  CHECK(error_of(nothing_with_consent, 1, 32, 227 * 1024) == "");
  CHECK(contains(error_of(nothing_with_consent, 1, 32, 227 * 1024 + 1), "bytes of shared memory"));
}

TEST_CASE("misuse is named, and the next launch is sound") {
  const char* expected[] = {"divergent barrier: 1 of the block's 32 threads have exited",
                            "divergent barrier: block (0, 0, 0), thread (7, 0, 0), test_emulator.cpp:",
                            "the collective's mask names lane 3, which has exited",
                            "is not in the mask",
                            "deadlock: a collective waits for lane",
                            "the shuffle reads lane",
                            "deadlock: a collective waits for lane 16",
                            "a shuffle of width 12",
                            "by a running kernel"};
  under_every_schedule([&] {
    for (int how = 0; how < static_cast<int>(std::size(expected)); ++how) {
      const std::string error = error_of(misuse, 1, 32, 0, how);
      CHECK_MESSAGE(contains(error, expected[how]), how, ": ", error);
      CHECK(error_of(nothing, 2, 32, 0) == "");
    }
  });
}

TEST_CASE("what a thread throws comes out of the launch") {
  under_every_schedule([] { CHECK_THROWS_AS(start(misuse, 1, 64, 0, 99), std::out_of_range); });
}

TEST_CASE("device code does not run on the host") { CHECK_THROWS_AS(write_at(0), Error); }

// AddressSanitizer itself would stop these.
TEST_CASE("writes beside shared memory are found" * doctest::skip(kAddressSanitizer)) {
  under_every_schedule([] {
    CHECK(error_of(write_at, 1, 64, 13, 12) == "");
    for (const int place : {13, -1, 13 + 4095, -4096})
      CHECK(contains(error_of(write_at, 1, 64, 13, place), "outside of its 13 bytes of shared memory"));
  });
}

}  // namespace crescendo::emulation
