#include "kernels/cuda/implicit_conv2d.h"

#include <algorithm>
#include <limits>

#include "kernels/cuda/convolve.cuh"
#include "kernels/cuda/weight_gradient.cuh"

namespace crescendo::cuda::implicit_conv2d {

namespace {

// Number of ghost batches whose weight gradients the workspace holds at once.
constexpr int64_t kGhostsAtOnce = 8;
// Number of channels whose norm fits into shared memory beside the tiles, on every device from sm_80 on.
constexpr int64_t kMostNormChannels = 1024;
// Channels side by side in a block that finishes moments. They are few because there may be more than a
// thousand tiles to add.
constexpr unsigned kMomentsAcross = 8;

int64_t ghosts_of(const Conv2dGeometry& g) { return (g.n + g.ghost - 1) / g.ghost; }

// Returns the slices of the result's rows that the forward pass sums: its tiles of pixels.
Slices tiles_of(const Conv2dGeometry& g) {
  Slices s(g.n, g.p * g.q, g.k, g.ghost, kChunkValues);
  s.slice = kTilePixels;
  s.count = pixel_tiles(g, forward_taps(g));
  return s;
}

}  // namespace

bool computes(const Conv2dGeometry& g) {
  constexpr int64_t kMost = std::numeric_limits<int>::max() / 2;
  return g.c % kChunkValues == 0 && g.k % kChunkValues == 0 && g.ghost * g.h * g.w < kMost &&
         g.ghost * g.p * g.q < kMost && g.r * g.s * g.c < kMost && g.r * g.s * g.k < kMost;
}

bool normalises(const Conv2dGeometry& g) { return computes(g) && g.c <= kMostNormChannels; }

size_t workspace(const Conv2dGeometry& g) {
  const WeightSlices slices(g);
  const int64_t partials = std::min(ghosts_of(g), kGhostsAtOnce) * slices.count * slices.size();
  return std::max(static_cast<size_t>(partials) * sizeof(float),
                  static_cast<size_t>(tiles_of(g).sums()) * sizeof(double));
}

void forward(cudaStream_t stream, const Conv2dGeometry& g, const bf16* x, const InputNorm* norm,
             const bf16* weight, const ForwardResult& to, void* workspace) {
  auto* const sums = static_cast<double*>(to.mean != nullptr ? workspace : nullptr);
  const Convolution c{g, x, weight, norm != nullptr ? *norm : InputNorm{}, to.residual, to.y, sums};
  if (norm != nullptr)
    convolve<Direction::forward, true>(stream, c);
  else
    convolve<Direction::forward, false>(stream, c);
  if (sums == nullptr) return;
  const Slices s = tiles_of(g);
  launch(stream, totals_grid<kMomentsAcross>(s), finish_moments_kernel<kMomentsAcross>, s, sums, to.mean,
         to.variance);
}

void backward_data(cudaStream_t stream, const Conv2dGeometry& g, const bf16* dy, const bf16* weight, bf16* dx,
                   Write write) {
  const bf16* const before = write == Write::add ? dx : nullptr;
  convolve<Direction::backward_data, false>(stream, {g, dy, weight, InputNorm{}, before, dx, nullptr});
}

void backward_weight(cudaStream_t stream, const Conv2dGeometry& g, const bf16* x, const InputNorm* norm,
                     const bf16* dy, real* dweight, Write write, int64_t ghost_stride, void* workspace) {
  auto* const partials = static_cast<float*>(workspace);
  WeightGradient w{g, WeightSlices(g), x, dy, norm != nullptr ? *norm : InputNorm{}, partials};
  for (int64_t first = 0; first < g.n; first += w.geometry.n) {
    const int64_t ghost = first / g.ghost;
    w.geometry.n = std::min(g.n - first, kGhostsAtOnce * g.ghost);
    w.x = x + first * g.h * g.w * g.c;
    w.dy = dy + first * g.p * g.q * g.k;
    if (norm != nullptr) {
      w.norm.operands.mean = norm->operands.mean + ghost * g.c;
      w.norm.operands.variance = norm->operands.variance + ghost * g.c;
      launch_weight_gradient<true>(stream, w);
    } else {
      launch_weight_gradient<false>(stream, w);
    }
    add_slices(stream, w.slices, w.geometry.n / g.ghost, partials, dweight + ghost * ghost_stride,
               write_of_ghost(write, ghost, ghost_stride), ghost_stride);
  }
}

}  // namespace crescendo::cuda::implicit_conv2d
