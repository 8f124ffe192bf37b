// Sums over the rows of each ghost batch, channel by channel: the base of ghost batch norm, of the bias
// gradient and of convolutions that compute the moments of their result.
//
// The geometry alone cuts the m rows of a ghost batch into slices. A block takes one slice of one ghost batch
// and up to kMostVectors vectors of channels: a thread goes down the rows with one vector, and the block adds
// its threads' sums in order. A second kernel adds the slices in order.
// Each kernel is launched once for all ghost batches.
#pragma once

#include <cmath>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.h"
#include "kernels/geometry.h"

namespace crescendo::cuda {

// The distribution of rows [ghosts,m] of c channels over blocks and threads.
struct Slices {
  static constexpr int64_t kMostVectors = 32, kRunsOfThread = 16;
  int64_t ghosts, rows, c;        // rows in a ghost batch
  int64_t vectors, threads_down;  // in a block: vectors of channels side by side, rows at a time
  int64_t slice, count;           // rows in a slice, slices in a ghost batch
  int64_t channel_blocks;

  Slices(int64_t n, int64_t pixels, int64_t channels, int64_t ghost, int64_t width)
      : ghosts(n / ghost), rows(ghost * pixels), c(channels) {
    const int64_t all = c / width;
    channel_blocks = (all + kMostVectors - 1) / kMostVectors;
    vectors = (all + channel_blocks - 1) / channel_blocks;
    threads_down = kThreads / vectors;
    slice = threads_down * kRunsOfThread;
    count = (rows + slice - 1) / slice;
  }
  int64_t sums() const { return ghosts * count * 2 * c; }  // two for each channel and slice
  Grid grid(size_t shared_bytes = 0) const {
    return {dim3(static_cast<unsigned>(count), static_cast<unsigned>(channel_blocks),
                 static_cast<unsigned>(ghosts)),
            kThreads, shared_bytes};
  }
};

// The rows and channels that a thread of such a grid visits.
template <int Width>
struct Walk {
  int64_t ghost, channel;  // its ghost batch; the first channel of its vector
  int64_t row, end, step;  // counted over all ghost batches
  bool works;

  __device__ explicit Walk(const Slices& s)
      : ghost(blockIdx.z),
        channel((blockIdx.y * s.vectors + threadIdx.x % s.vectors) * Width),
        row(blockIdx.x * s.slice + threadIdx.x / s.vectors),
        end((blockIdx.x + 1) * s.slice),
        step(s.threads_down),
        works(threadIdx.x < s.vectors * s.threads_down && channel < s.c) {
    end = end < s.rows ? end : s.rows;
    row += ghost * s.rows;
    end += ghost * s.rows;
  }
};

// Returns the index of a channel in the statistics [ghosts,c].
HD inline int64_t statistic(const Slices& s, int64_t ghost, int64_t channel) { return ghost * s.c + channel; }

// Returns scale / sqrt(variance + epsilon): one expression for all places that compute the ReLU's mask.
HD inline real norm_factor(real scale, real variance, double epsilon) {
  return static_cast<real>(static_cast<double>(scale) / std::sqrt(static_cast<double>(variance) + epsilon));
}
// Returns the normalised value before the ReLU.
HD inline real output_of(real u, real factor, real shift) { return u * factor + shift; }

// Writes sums[ghost][slice][which][channel]. f(row, channel, first, second) adds a row to a thread's two sums
// for each channel of its vector. A thread sums in V, and all later sums are in double.
template <class V, int Width, class F>
__device__ void sum_slice(const Slices& s, const F& f, double* sums) {
  const Walk<Width> walk(s);
  V first[Width] = {}, second[Width] = {};
  if (walk.works)
    for (int64_t row = walk.row; row < walk.end; row += walk.step) f(row, walk.channel, first, second);

  double* shared = dynamic_shared<double>();  // [threads_down][vectors][Width][2]
  if (walk.works)
    for (int lane = 0; lane < Width; ++lane) {
      shared[(threadIdx.x * Width + lane) * 2] = static_cast<double>(first[lane]);
      shared[(threadIdx.x * Width + lane) * 2 + 1] = static_cast<double>(second[lane]);
    }
  __syncthreads();
  const int64_t across = s.vectors * Width * 2;
  for (int64_t i = threadIdx.x; i < across; i += blockDim.x) {
    const int64_t channel = blockIdx.y * s.vectors * Width + i / 2;
    if (channel >= s.c) continue;
    double total = 0;
    for (int64_t down = 0; down < s.threads_down; ++down) total += shared[down * across + i];
    sums[((walk.ghost * s.count + blockIdx.x) * 2 + i % 2) * s.c + channel] = total;
  }
}

// The two sums of a channel over a ghost batch.
struct Totals {
  double first = 0, second = 0;
};
// Channels side by side in a block of kThreads threads that adds slices.
// The other dimension runs over slices.
constexpr unsigned kAcross = 32;

// Returns the totals of channel blockIdx.x * Across + threadIdx.x % Across of ghost batch blockIdx.y,
// complete in the first Across threads. Every thread must take part. Slices are added in an order that the
// geometry decides.
template <unsigned Across = kAcross>
__device__ Totals total_of_slices(const Slices& s, const double* sums) {
  constexpr unsigned kDown = kThreads / Across;
  Totals* shared = dynamic_shared<Totals>();
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * Across + threadIdx.x % Across;
  Totals total;
  if (channel < s.c)
    for (int64_t slice = threadIdx.x / Across; slice < s.count; slice += kDown) {
      const double* from = sums + (blockIdx.y * s.count + slice) * 2 * s.c + channel;
      total.first += from[0];
      total.second += from[s.c];
    }
  shared[threadIdx.x] = total;
  __syncthreads();
  if (threadIdx.x >= Across) return total;
  for (unsigned down = 1; down < kDown; ++down) {
    total.first += shared[down * Across + threadIdx.x].first;
    total.second += shared[down * Across + threadIdx.x].second;
  }
  return total;
}

template <unsigned Across = kAcross>
Grid totals_grid(const Slices& s) {
  return {dim3(blocks_for(s.c, Across), static_cast<unsigned>(s.ghosts)), kThreads,
          kThreads * sizeof(Totals)};
}

// Writes the moments of each channel from the sums of x and of its squares.
template <unsigned Across>
__global__ void __launch_bounds__(kThreads)
    finish_moments_kernel(Slices s, const double* sums, real* mean, real* variance) {
  const Totals total = total_of_slices<Across>(s, sums);
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * Across + threadIdx.x;
  if (threadIdx.x >= Across || channel >= s.c) return;
  const int64_t at = statistic(s, blockIdx.y, channel);
  const double m = static_cast<double>(s.rows), average = total.first / m;
  const double squares = total.second / m - average * average;
  mean[at] = static_cast<real>(average);
  variance[at] = static_cast<real>(squares < 0 ? 0.0 : squares);  // NaN stays
}

}  // namespace crescendo::cuda
