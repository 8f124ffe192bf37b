#include "kernels/cpu/pack_weights.h"

#include <algorithm>

#include "kernels/cpu/conv2d_direct.h"
#include "kernels/cpu/conv2d_winograd.h"
#include "kernels/cpu/parallel.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// Loads the weights of one tap into rows: rows[i] holds those of input in + i for a vector of outputs, which
// begins at `out`. Weights beyond the last input or output are zero.
void load_weights(const Gather& gather, const real* weight, int64_t tap, int64_t in, int64_t out,
                  Vector (&rows)[kLanes]) {
  const auto& [d, weights, target] = gather;
  const bool contiguous = weights.out_stride == 1;
  const int64_t place = weights.first + tap / d.taps_w * weights.row + tap % d.taps_w * weights.column;
  const real* from = weight + place + in * weights.in_stride + out * weights.out_stride;
  const int64_t count = std::min<int64_t>(kLanes, contiguous ? d.in - in : d.out - out);
  const int64_t lanes = contiguous ? d.out - out : d.in - in;
  const int64_t stride = contiguous ? weights.in_stride : weights.out_stride;
  // There are too many rows for the processor's own prefetcher.
  constexpr int64_t kAhead = 4 * kLanes;
  for (int64_t i = 0; i < kLanes; ++i) {
    if (i < count) __builtin_prefetch(from + i * stride + kAhead);
    rows[i] = i < count ? load_some(from + i * stride, lanes) : zero();
  }
  if (!contiguous) transpose(rows);
}

}  // namespace

void pack_direct(const Gather& gather, const Threads& threads, const real* weight, real* packed) {
  const GatherConvolution& d = gather.convolution;
  parallel_for(threads, tiles_of(d.out) * d.taps(), [&](int64_t task, int) {
    const int64_t tile = task / d.taps(), tap = task % d.taps(), first = tile * kTileWidth;
    const int64_t width = tile_width(d.out, tile);
    real* to = packed + first * d.taps() * d.in + tap * d.in * width;
    for (int64_t in = 0; in < d.in; in += kLanes)
      for (int64_t i = 0; i < width; i += kLanes) {
        Vector rows[kLanes];
        load_weights(gather, weight, tap, in, first + i, rows);
        for (int64_t j = 0; j < std::min<int64_t>(kLanes, d.in - in); ++j)
          store(to + (in + j) * width + i, rows[j]);
      }
  });
}

// Each task transforms one vector of inputs for one tile of outputs.
void pack_winograd(const Gather& gather, const Threads& threads, const real* weight, real* transformed) {
  const GatherConvolution& d = gather.convolution;
  const int64_t blocks = (d.in + kLanes - 1) / kLanes;
  parallel_for(threads, tiles_of(d.out) * blocks, [&](int64_t task, int) {
    const int64_t tile = task / blocks, in = task % blocks * kLanes, first = tile * kTileWidth;
    for (int64_t i = 0; i < tile_width(d.out, tile); i += kLanes) {
      Vector taps[kMostWinogradTaps][kLanes];
      for (int64_t tap = 0; tap < d.taps(); ++tap)
        load_weights(gather, weight, tap, in, first + i, taps[tap]);
      transform_weights(d, first + i, in, taps, transformed);
    }
  });
}

}  // namespace crescendo::CRESCENDO_CPU
