// The weight gradient: dweight [filters, taps x channels] = dy^T * taps of x, summed over the pixels of a
// ghost batch. The geometry alone cuts these pixels into slices. A block sums kFilterTile x kColumnTile
// values of one slice; a second kernel adds the slices of each ghost batch in order, then the ghost batches.
#pragma once

#include <algorithm>

#include "kernels/cuda/conv2d_loaders.cuh"

namespace crescendo::cuda {

constexpr int kFilterTile = 64, kColumnTile = 128;

struct WeightSlices {
  // One ghost batch makes enough blocks for any device, unless a block would have less than a few steps.
  static constexpr int64_t kBlocks = 264, kLeastSteps = 8;
  int64_t filters, columns;  // of dweight
  int64_t pixels;            // of a ghost batch
  int64_t tiles, slice, count;

  explicit WeightSlices(const Conv2dGeometry& g)
      : filters(g.k), columns(g.r * g.s * g.c), pixels(g.ghost * g.p * g.q) {
    tiles = up(filters, kFilterTile) * up(columns, kColumnTile);
    const int64_t steps = up(pixels, kStep),
                  wanted = std::clamp<int64_t>(steps / kLeastSteps, 1, up(kBlocks, tiles));
    slice = up(steps, wanted) * kStep;
    count = up(pixels, slice);
  }
  HD int64_t size() const { return filters * columns; }

 private:
  static int64_t up(int64_t a, int64_t b) { return (a + b - 1) / b; }
};

struct WeightGradient {
  Conv2dGeometry geometry;
  WeightSlices slices;
  const bf16 *x, *dy;
  InputNorm norm;   // of x, if it is normalised
  float* partials;  // [ghosts, slices, filters, taps x channels]
};

template <bool Normalise>
struct WeightGradientBlock {
  using Sums = TileSums<kFilterTile, kColumnTile>;
  static constexpr unsigned kThreads = Sums::kThreads;
  using Gradients = GradientColumns<kFilterTile, kThreads>;
  using Pixels = PixelColumns<kColumnTile, kThreads, Normalise>;
  static constexpr size_t kTiles = kStagesBytes<typename Gradients::Tile, typename Pixels::Tile>;

  static size_t shared_bytes(const Conv2dGeometry& g) {
    return kTiles + (Normalise ? NormTable::bytes(g.c) : 0);
  }
};

// Grid: tiles, slices, ghosts.
template <bool Normalise>
__global__ void __launch_bounds__(TileSums<kFilterTile, kColumnTile>::kThreads,
                                  TileSums<kFilterTile, kColumnTile>::kBlocksAtOnce)
    weight_gradient_kernel(WeightGradient w) {
  using Block = WeightGradientBlock<Normalise>;
  const Taps taps = forward_taps(w.geometry);
  const int filters = static_cast<int>(w.slices.filters), columns = static_cast<int>(w.slices.columns);
  const int across = (columns + kColumnTile - 1) / kColumnTile, block = static_cast<int>(blockIdx.x);
  const int first_filter = block / across * kFilterTile, first_column = block % across * kColumnTile;
  const int64_t ghost = blockIdx.z, first_image = ghost * w.geometry.ghost;
  const int first = static_cast<int>(blockIdx.y * w.slices.slice);
  const int end =
      static_cast<int>(first + w.slices.slice < w.slices.pixels ? first + w.slices.slice : w.slices.pixels);
  auto* shared = dynamic_shared<unsigned char>();
  const NormTable norm(shared + Block::kTiles, w.norm.geometry.relu);
  if constexpr (Normalise) {
    norm.fill(w.norm, ghost, taps.channels);
    __syncthreads();
  }

  typename Block::Sums sums;
  typename Block::Gradients gradients(w.dy + first_image * taps.pixels() * filters, filters, first_filter,
                                      first, end);
  typename Block::Pixels pixels(taps, w.x + first_image * taps.source_image(), first_column, first, end,
                                norm);
  multiply((end - first + kStep - 1) / kStep, gradients, pixels, reinterpret_cast<Chunk*>(shared), sums);

  float* const to = w.partials + (ghost * w.slices.count + blockIdx.y) * w.slices.size();
  sums.each_pair([=](int row, int column, float left, float right) {
    const int filter = first_filter + row, at = first_column + column;
    if (filter < filters && at < columns)
      store(to + static_cast<int64_t>(filter) * columns + at, Vector<float, 2>{left, right});
  });
}

// dweight (=|+=) the sum of slices of each ghost batch, in order or ghost_stride apart.
inline void add_slices(cudaStream_t stream, const WeightSlices& s, int64_t ghosts, const float* partials,
                       real* dweight, Write write, int64_t ghost_stride) {
  each(stream, s.size(), [=, count = s.count, size = s.size()] __device__(int64_t i) {
    for (int64_t ghost = 0; ghost < ghosts; ++ghost) {
      real total = 0;
      for (int64_t slice = 0; slice < count; ++slice) total += partials[(ghost * count + slice) * size + i];
      real& value = dweight[ghost * ghost_stride + i];
      value = write_of_ghost(write, ghost, ghost_stride) == Write::overwrite ? total : value + total;
    }
  });
}

template <bool Normalise>
void launch_weight_gradient(cudaStream_t stream, const WeightGradient& w) {
  using Block = WeightGradientBlock<Normalise>;
  const Grid grid{dim3(static_cast<unsigned>(w.slices.tiles), static_cast<unsigned>(w.slices.count),
                       static_cast<unsigned>(w.geometry.n / w.geometry.ghost)),
                  Block::kThreads, Block::shared_bytes(w.geometry)};
  launch(stream, grid, weight_gradient_kernel<Normalise>, w);
}

}  // namespace crescendo::cuda
