// A block's part of a matrix product on tensor cores: sums [Rows,Columns] of a [Rows,steps] * b
// [steps,Columns], with bf16 values and fp32 sums. Loaders bring both operands into shared memory, kStep
// values of the sum at a time and several steps ahead of the multiplication (conv2d_loaders.cuh).
#pragma once

#include "kernels/cuda/bf16.h"
#include "kernels/cuda/ghost_sums.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/tensor_core.h"

namespace crescendo::cuda {

constexpr int kStep = 32;                  // values of the sum's index in a step
constexpr int kStages = 4;                 // steps in shared memory
constexpr int kChunkValues = 8;            // values that are copied at once
using Chunk = Vector<bf16, kChunkValues>;  // 16 bytes

// One operand's values of one step in shared memory: [Size,kStep] if the sum's index is the inner one,
// otherwise [kStep,Size].
template <int Size, bool SumInner>
struct OperandTile {
  static constexpr int kSize = Size;
  static constexpr bool kSumInner = SumInner;
  static constexpr int kRows = SumInner ? Size : kStep;
  static constexpr int kRowChunks = (SumInner ? kStep : Size) / kChunkValues;
  static constexpr int kChunks = kRows * kRowChunks;

  // Returns the place of a chunk. All banks together hold a line of eight chunks. ldmatrix reads the same
  // chunk of eight rows; XOR puts these into eight different places of a line.
  static __device__ int place(int row, int chunk) {
    constexpr int kLine = 8, kRowsOfLine = kRowChunks < kLine ? kLine / kRowChunks : 1;
    return row * kRowChunks + (chunk ^ (row / kRowsOfLine % (kRowChunks < kLine ? kRowChunks : kLine)));
  }
};

// Loads the registers of a [16,16] that starts at row `first` and value `k` of the step.
template <class Tile>
__device__ void load_a(uint32_t (&a)[4], const Chunk* tile, int first, int k) {
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  if constexpr (Tile::kSumInner)
    load_matrix_x4(a, tile + Tile::place(first + lane % 16, k / kChunkValues + lane / 16));
  else
    load_matrix_x4_transposed(
        a, tile + Tile::place(k + lane % 8 + lane / 16 * 8, first / kChunkValues + lane / 8 % 2));
}

// Loads the registers of two b [16,8] side by side, from column `first` on.
template <class Tile>
__device__ void load_b(uint32_t (&b)[2][2], const Chunk* tile, int first, int k) {
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  uint32_t both[4];
  if constexpr (Tile::kSumInner)
    load_matrix_x4(both,
                   tile + Tile::place(first + lane % 8 + lane / 16 * 8, k / kChunkValues + lane / 8 % 2));
  else
    load_matrix_x4_transposed(both, tile + Tile::place(k + lane % 16, first / kChunkValues + lane / 16));
  for (int i = 0; i < 4; ++i) b[i / 2][i % 2] = both[i];
}

// The sums of a block. Each warp holds [kWarpRows,kWarpColumns] of them.
template <int Rows, int Columns>
class TileSums {
 public:
  static constexpr int kWarpRows = 64, kWarpColumns = 32;
  static constexpr int kWarpsDown = Rows / kWarpRows, kWarpsAcross = Columns / kWarpColumns;
  static constexpr unsigned kThreads = kWarp * kWarpsDown * kWarpsAcross;
  // Number of blocks for which a multiprocessor must have registers: a thread has up to 168 with three blocks
  // of 128 threads, and up to 128 with two blocks of 256.
  static constexpr unsigned kBlocksAtOnce = kThreads <= 128 ? 3 : 2;
  static_assert(Rows % kWarpRows == 0 && Columns % kWarpColumns == 0);

  // Adds the products of one step.
  template <class TileA, class TileB>
  __device__ void add(const Chunk* a_tile, const Chunk* b_tile) {
    for (int k = 0; k < kStep; k += 16) {
      uint32_t a[kDown][4], b[kAcross / 2][2][2];
      for (int i = 0; i < kDown; ++i) load_a<TileA>(a[i], a_tile, first_row() + 16 * i, k);
      for (int j = 0; j < kAcross / 2; ++j) load_b<TileB>(b[j], b_tile, first_column() + 16 * j, k);
      for (int i = 0; i < kDown; ++i)
        for (int j = 0; j < kAcross; ++j) mma_bf16(sums_[i][j], a[i], b[j / 2][j % 2]);
    }
  }

  // Calls f(row, column, sum, sum of the next column) for each pair of sums that this thread holds.
  template <class F>
  __device__ void each_pair(const F& f) const {
    const int lane = static_cast<int>(threadIdx.x % kWarp);
    for (int i = 0; i < kDown; ++i)
      for (int j = 0; j < kAcross; ++j)
        for (int half = 0; half < 2; ++half)
          f(first_row() + 16 * i + 8 * half + lane / 4, first_column() + 8 * j + lane % 4 * 2,
            sums_[i][j][2 * half], sums_[i][j][2 * half + 1]);
  }

 private:
  static constexpr int kDown = kWarpRows / 16, kAcross = kWarpColumns / 8;  // instructions
  static __device__ int warp() { return static_cast<int>(threadIdx.x / kWarp); }
  static __device__ int first_row() { return warp() / kWarpsAcross * kWarpRows; }
  static __device__ int first_column() { return warp() % kWarpsAcross * kWarpColumns; }

  float sums_[kDown][kAcross][4] = {};
};

template <class TileA, class TileB>
constexpr size_t kStagesBytes = kStages*(TileA::kChunks + TileB::kChunks) * sizeof(Chunk);

// sums += a * b. A loader's start(tile) begins to load the next step into a tile. Its finish(tile) stores
// what goes through registers, so that those loads run while tensor cores work. All threads of the block must
// call this; they may use `shared` for something else afterwards.
template <class LoaderA, class LoaderB, int Rows, int Columns>
__device__ void multiply(int steps, LoaderA& a, LoaderB& b, Chunk* shared, TileSums<Rows, Columns>& sums) {
  using TileA = typename LoaderA::Tile;
  using TileB = typename LoaderB::Tile;
  static_assert(TileA::kSize == Rows && TileB::kSize == Columns);
  Chunk* const b_tiles = shared + kStages * TileA::kChunks;
  for (int stage = 0; stage < kStages - 1; ++stage) {
    if (stage < steps) {
      a.start(shared + stage * TileA::kChunks);
      b.start(b_tiles + stage * TileB::kChunks);
      a.finish(shared + stage * TileA::kChunks);
      b.finish(b_tiles + stage * TileB::kChunks);
    }
    commit_copies();
  }
  for (int step = 0; step < steps; ++step) {
    wait_copies<kStages - 2>();  // until this step's copies have arrived
    __syncthreads();             // all have multiplied the step before, so its tiles can be loaded anew
    const int stage = step % kStages, free = (step + kStages - 1) % kStages;
    const bool more = step + kStages - 1 < steps;
    if (more) {
      a.start(shared + free * TileA::kChunks);
      b.start(b_tiles + free * TileB::kChunks);
    }
    commit_copies();
    sums.template add<TileA, TileB>(shared + stage * TileA::kChunks, b_tiles + stage * TileB::kChunks);
    if (more) {
      a.finish(shared + free * TileA::kChunks);
      b.finish(b_tiles + free * TileB::kChunks);
    }
  }
  __syncthreads();
}

}  // namespace crescendo::cuda
