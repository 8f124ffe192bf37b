// The norm that a convolution's loader applies to its input. Normalise calls the same functions
// (ghost_sums.cuh), so the tensor cores receive the bits that it would have stored.
#pragma once

#include "kernels/cuda/implicit_conv2d.h"
#include "kernels/cuda/matmul_tile.cuh"
#include "kernels/pointwise.h"

namespace crescendo::cuda {

// The constants that normalise the channels of a chunk.
struct ChunkNorm {
  Vector<real, kChunkValues> mean, factor, shift;
};

// The constants of all channels of a ghost batch, in shared memory.
class NormTable {
 public:
  static constexpr size_t bytes(int64_t channels) {
    return static_cast<size_t>(channels / kChunkValues) * sizeof(ChunkNorm);
  }

  __device__ NormTable(void* shared, bool relu) : chunks_(static_cast<ChunkNorm*>(shared)), relu_(relu) {}

  // Fills the table with all threads of the block. A barrier must follow.
  __device__ void fill(const InputNorm& norm, int64_t ghost, int channels) const {
    for (int i = static_cast<int>(threadIdx.x); i < channels; i += static_cast<int>(blockDim.x)) {
      const int64_t at = ghost * channels + i;
      ChunkNorm& chunk = chunks_[i / kChunkValues];
      const int lane = i % kChunkValues;
      chunk.mean.lanes[lane] = norm.operands.mean[at];
      chunk.factor.lanes[lane] =
          norm_factor(norm.operands.scale[i], norm.operands.variance[at], norm.geometry.epsilon);
      chunk.shift.lanes[lane] = norm.operands.shift[i];
    }
  }

  // Returns the normalised values of the channels from `channel` on.
  __device__ Chunk normalised(Chunk x, int channel) const {
    const ChunkNorm& norm = chunks_[channel / kChunkValues];
    for (int lane = 0; lane < kChunkValues; ++lane) {
      const real v =
          output_of(x.lanes[lane] - norm.mean.lanes[lane], norm.factor.lanes[lane], norm.shift.lanes[lane]);
      x.lanes[lane] = bf16(relu_ ? relu_of(v) : v);
    }
    return x;
  }

 private:
  ChunkNorm* chunks_;
  bool relu_;
};

}  // namespace crescendo::cuda
