// The norm that a convolution's loader applies to its input, by the expressions of ghost_batch_norm.cuh: what
// reaches the tensor cores are the very bits that `normalise` would have stored.
#pragma once

#include "kernels/cuda/implicit_conv2d.h"
#include "kernels/cuda/matmul_tile.cuh"
#include "kernels/pointwise.h"

namespace crescendo::cuda {

// What a ghost's channels need, in shared memory: [3][channels] of mean, factor and shift.
class NormTable {
 public:
  static constexpr size_t bytes(int64_t channels) { return 3 * static_cast<size_t>(channels) * sizeof(real); }

  __device__ NormTable(real* values, int channels, bool relu)
      : values_(values), channels_(channels), relu_(relu) {}

  // The block's threads together; a barrier must follow.
  __device__ void fill(const InputNorm& norm, int64_t ghost) const {
    for (int i = static_cast<int>(threadIdx.x); i < channels_; i += static_cast<int>(blockDim.x)) {
      const int64_t at = ghost * channels_ + i;
      values_[i] = norm.operands.mean[at];
      values_[channels_ + i] =
          norm_factor(norm.operands.scale[i], norm.operands.variance[at], norm.geometry.epsilon);
      values_[2 * channels_ + i] = norm.operands.shift[i];
    }
  }

  // Values of the channels from `channel` on.
  __device__ Chunk normalised(Chunk x, int channel) const {
    using Constants = Vector<real, kChunkValues>;
    const auto mean = *reinterpret_cast<const Constants*>(values_ + channel);
    const auto factor = *reinterpret_cast<const Constants*>(values_ + channels_ + channel);
    const auto shift = *reinterpret_cast<const Constants*>(values_ + 2 * channels_ + channel);
    for (int lane = 0; lane < kChunkValues; ++lane) {
      const real v = output_of(x.lanes[lane] - mean.lanes[lane], factor.lanes[lane], shift.lanes[lane]);
      x.lanes[lane] = bf16(relu_ ? relu_of(v) : v);
    }
    return x;
  }

 private:
  real* values_;
  int channels_;
  bool relu_;
};

}  // namespace crescendo::cuda
