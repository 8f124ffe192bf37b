// The stand-ins for the tensor cores' instructions, and for those that load operands,
// follow PTX's definitions.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "emulation/emulator.h"
#include "kernels/cuda/bf16.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/tensor_core.h"
#include "support/compare.h"

namespace crescendo::test {
namespace {

using Bits = std::vector<uint16_t>;

Bits random_bits(size_t n, uint32_t seed) {
  Bits bits(n);
  const std::vector<real> values = noise(static_cast<int64_t>(n), seed);
  std::transform(values.begin(), values.end(), bits.begin(),
                 [](real value) { return std::bit_cast<uint16_t>(bf16(value)); });
  return bits;
}

double value_of(uint16_t bits) { return static_cast<double>(static_cast<float>(std::bit_cast<bf16>(bits))); }

uint32_t pair(uint16_t first, uint16_t second) { return first | static_cast<uint32_t>(second) << 16; }

// c [16,8] += a [16,16] * b [16,8], each lane taking its values where PTX's figures have them.
__global__ void multiply_kernel(const uint16_t* a, const uint16_t* b, float* c) {
  const unsigned lane = threadIdx.x, group = lane / 4, k = lane % 4 * 2;
  const auto a_pair = [a](unsigned row, unsigned column) {
    return pair(a[row * 16 + column], a[row * 16 + column + 1]);
  };
  const auto b_pair = [b](unsigned row, unsigned column) {
    return pair(b[row * 8 + column], b[(row + 1) * 8 + column]);
  };
  const uint32_t as[4] = {a_pair(group, k), a_pair(group + 8, k), a_pair(group, k + 8),
                          a_pair(group + 8, k + 8)};
  const uint32_t bs[2] = {b_pair(k, group), b_pair(k + 8, group)};
  float cs[4];
  for (unsigned i = 0; i < 4; ++i) cs[i] = c[(group + i / 2 * 8) * 8 + k + i % 2];
  cuda::mma_bf16(cs, as, bs);
  for (unsigned i = 0; i < 4; ++i) c[(group + i / 2 * 8) * 8 + k + i % 2] = cs[i];
}

// Four matrices [4,8,8], through shared memory, as each lane receives them: [lane,4,2].
template <bool transposed>
__global__ void load_kernel(const uint16_t* matrices, uint16_t* received) {
  auto* shared = cuda::dynamic_shared<uint16_t>();
  for (unsigned i = threadIdx.x; i < 4 * 8 * 8; i += 32) shared[i] = matrices[i];
  __syncthreads();
  uint32_t to[4];
  if (transposed)
    cuda::load_matrix_x4_transposed(to, shared + threadIdx.x * 8);
  else
    cuda::load_matrix_x4(to, shared + threadIdx.x * 8);
  for (unsigned i = 0; i < 8; ++i)
    received[threadIdx.x * 8 + i] = static_cast<uint16_t>(to[i / 2] >> (i % 2 * 16));
}

// Only the first half of the warp multiplies.
__global__ void half_warp_kernel(float value) {
  float c[4] = {value};
  const uint32_t a[4] = {}, b[2] = {};
  if (threadIdx.x < 16) cuda::mma_bf16(c, a, b);
}

// One thread copies 16 bytes to `shared + offset`, or zeros.
__global__ void copy_kernel(const float* from, bool zeros, int offset, float* to) {
  auto* shared = cuda::dynamic_shared<float>();
  cuda::copy_async(shared + offset, from, zeros);
  cuda::commit_copies();
  cuda::wait_copies<0>();
  for (int i = 0; i < 4; ++i) to[i] = shared[offset + i];
}

// Two groups; what of each has arrived when one of them may be under way.
__global__ void two_groups_kernel(const float* from, float* to) {
  auto* shared = cuda::dynamic_shared<float>();
  for (int group = 0; group < 2; ++group) {
    cuda::copy_async(shared + 4 * group, from + 4 * group, false);
    cuda::commit_copies();
  }
  cuda::wait_copies<1>();
  for (int i = 0; i < 8; ++i) to[i] = shared[i];
  cuda::wait_copies<0>();
  for (int i = 0; i < 8; ++i) to[8 + i] = shared[i];
}

void check_refused(const std::string& saying, const std::function<void()>& launch) {
  try {
    launch();
    FAIL_CHECK("accepted, expected: ", saying);
  } catch (const emulation::Error& error) {
    CHECK(std::string(error.what()).find(saying) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("mma adds the product of two matrices") {
  for (uint32_t seed = 0; seed < 10; ++seed) {
    const Bits a = random_bits(16 * 16, 3 * seed), b = random_bits(16 * 8, 3 * seed + 1);
    std::vector<real> c = noise(16 * 8, 3 * seed + 2);
    std::vector<double> expected(c.begin(), c.end());
    for (size_t i = 0; i < 16; ++i)
      for (size_t j = 0; j < 8; ++j)
        for (size_t k = 0; k < 16; ++k)
          expected[i * 8 + j] += value_of(a[i * 16 + k]) * value_of(b[k * 8 + j]);
    cuda::launch(nullptr, {dim3(1), 32}, multiply_kernel, a.data(), b.data(), c.data());
    check_close(c, expected, sum_tolerance(17, 1));
  }
}

TEST_CASE("ldmatrix gives lane l row l / 4, and transposed column l / 4, of each matrix") {
  const Bits matrices = random_bits(4 * 8 * 8, 1);
  for (const bool transposed : {false, true}) {
    Bits received(32 * 8), expected;
    cuda::launch(nullptr, {dim3(1), 32, matrices.size() * sizeof(uint16_t)},
                 transposed ? load_kernel<true> : load_kernel<false>, matrices.data(), received.data());
    for (size_t lane = 0; lane < 32; ++lane)
      for (size_t matrix = 0; matrix < 4; ++matrix)
        for (size_t i = 0; i < 2; ++i) {
          const size_t group = lane / 4, inner = lane % 4 * 2 + i;
          expected.push_back(matrices[matrix * 64 + (transposed ? inner * 8 + group : group * 8 + inner)]);
        }
    check_same_bits(received, expected);
  }
}

TEST_CASE("an asynchronous copy brings 16 bytes, or zeros, when its group is waited for") {
  const std::vector<float> from = {1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<float> to(4);
  cuda::launch(nullptr, {dim3(1), 1, 32}, copy_kernel, from.data(), false, 4, to.data());
  CHECK(to == std::vector<float>{1, 2, 3, 4});
  cuda::launch(nullptr, {dim3(1), 1, 32}, copy_kernel, nullptr, true, 4, to.data());
  CHECK(to == std::vector<float>{0, 0, 0, 0});

  std::vector<float> seen(16);
  cuda::launch(nullptr, {dim3(1), 1, 32}, two_groups_kernel, from.data(), seen.data());
  CHECK(std::equal(seen.begin(), seen.begin() + 4, from.begin()));
  CHECK(std::all_of(seen.begin() + 4, seen.begin() + 8, [](float value) { return std::isnan(value); }));
  CHECK(std::equal(seen.begin() + 8, seen.end(), from.begin()));
}

TEST_CASE("what the instructions forbid is refused") {
  const std::vector<float> from(8);
  std::vector<float> to(4);
  check_refused("multiple of 16", [&] {
    cuda::launch(nullptr, {dim3(1), 1, 32}, copy_kernel, from.data(), false, 1, to.data());
  });
  check_refused("multiple of 16", [&] {
    cuda::launch(nullptr, {dim3(1), 1, 32}, copy_kernel, from.data() + 1, false, 0, to.data());
  });
  check_refused("exited", [] { cuda::launch(nullptr, {dim3(1), 32}, half_warp_kernel, 1.0F); });
  check_refused("part of a warp", [] { cuda::launch(nullptr, {dim3(1), 16}, half_warp_kernel, 1.0F); });
}

}  // namespace crescendo::test
