#include "emulation/tensor_core.h"

#include <array>
#include <bit>
#include <cstring>

#include "emulation/emulator.h"

namespace emulation = crescendo::emulation;

namespace {

constexpr unsigned kRow = 8;             // values of a row of a matrix
constexpr size_t kAlignment = 16;        // of what ldmatrix and cp.async are given
using Row = std::array<uint16_t, kRow>;  // 16 bytes

float widened(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

// One of the two values that a register holds.
float half_of(uint32_t both, unsigned which) { return widened(static_cast<uint16_t>(both >> (16 * which))); }

struct Fragments {
  uint32_t a[4], b[2];
};

float a_value(const emulation::Gathered& lanes, unsigned row, unsigned k) {
  const auto fragments = lanes.of<Fragments>(row % 8 * 4 + k % 8 / 2);
  return half_of(fragments.a[row / 8 + k / 8 * 2], k % 2);
}

float b_value(const emulation::Gathered& lanes, unsigned k, unsigned column) {
  return half_of(lanes.of<Fragments>(column * 4 + k % 8 / 2).b[k / 8], k % 2);
}

void require_aligned(const void* address) {
  if (std::bit_cast<uintptr_t>(address) % kAlignment != 0)
    throw emulation::Error("an address that is no multiple of 16");
}

// The whole warp's rows.
emulation::Gathered gather_rows(const void* row) {
  require_aligned(row);
  Row values;
  std::memcpy(values.data(), row, sizeof(values));
  return emulation::gather(values);
}

uint32_t pair(uint16_t first, uint16_t second) { return first | static_cast<uint32_t>(second) << 16; }

}  // namespace

void emulated_mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  Fragments own;
  std::memcpy(own.a, a, sizeof(a));
  std::memcpy(own.b, b, sizeof(b));
  const emulation::Gathered lanes = emulation::gather(own);
  const unsigned lane = emulation::lane();
  for (unsigned i = 0; i < 4; ++i)
    for (unsigned k = 0; k < 16; ++k)
      c[i] += a_value(lanes, lane / 4 + i / 2 * 8, k) * b_value(lanes, k, lane % 4 * 2 + i % 2);
}

void emulated_load_matrix_x4(uint32_t (&to)[4], const void* row) {
  const emulation::Gathered lanes = gather_rows(row);
  const unsigned lane = emulation::lane();
  for (unsigned i = 0; i < 4; ++i) {
    const Row values = lanes.of<Row>(i * kRow + lane / 4);
    to[i] = pair(values[lane % 4 * 2], values[lane % 4 * 2 + 1]);
  }
}

void emulated_load_matrix_x4_transposed(uint32_t (&to)[4], const void* row) {
  const emulation::Gathered lanes = gather_rows(row);
  const unsigned lane = emulation::lane();
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned first = i * kRow + lane % 4 * 2;
    to[i] = pair(lanes.of<Row>(first)[lane / 4], lanes.of<Row>(first + 1)[lane / 4]);
  }
}

void emulated_copy_async(void* to, const void* from, bool zeros) {
  require_aligned(to);
  if (!zeros) require_aligned(from);
  emulation::start_copy(to, zeros ? nullptr : from, kAlignment);
}

void emulated_commit_copies() { emulation::commit_copies(); }

void emulated_wait_copies(unsigned running) { emulation::wait_copies(running); }
