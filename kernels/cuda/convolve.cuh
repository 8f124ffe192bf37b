// The forward pass and the data gradient: y [pixels,filters] = taps of x * weight^T. A block computes
// kTilePixels pixels of one ghost batch and Columns channels. The caller describes the taps
// (convolution_taps.h).
#pragma once

#include <algorithm>

#include "kernels/cuda/conv2d_loaders.cuh"

namespace crescendo::cuda {

enum class Direction { forward, backward_data };

constexpr int kTilePixels = 128;

struct Convolution {
  Conv2dGeometry geometry;
  const bf16 *source, *weight;
  InputNorm norm;        // of the source, if it is normalised
  const bf16* residual;  // or null
  bf16* result;
  double* sums;  // [ghosts, tiles of a ghost, 2, channels] of the result and its squares; or null
};

// The pixels and channels of a block: a tile of one class of a ghost batch's pixels.
template <Direction direction, int Columns>
struct ConvolutionTile {
  static constexpr bool kForward = direction == Direction::forward;

  Taps taps;
  int channels;                 // of the result
  int ghost, first_pixel, end;  // pixels are counted in the ghost batch, which ends before `end`
  int tile, first_channel;
  int64_t first_image;

  __device__ explicit ConvolutionTile(const Conv2dGeometry& g)
      : taps(kForward ? forward_taps(g) : backward_taps(g, blockIdx.z)),
        channels(static_cast<int>(kForward ? g.k : g.c)),
        ghost(static_cast<int>(blockIdx.y)),
        first_image(blockIdx.y * g.ghost) {
    const int across = (channels + Columns - 1) / Columns;
    tile = static_cast<int>(blockIdx.x) / across;
    first_pixel = tile * kTilePixels;
    first_channel = static_cast<int>(blockIdx.x) % across * Columns;
    const int64_t images = g.n - first_image < g.ghost ? g.n - first_image : g.ghost;
    end = static_cast<int>(images) * taps.pixels();
  }
  // Returns the index of a pixel's first channel in the result.
  __device__ int64_t place(int pixel) const {
    const int image = pixel / taps.pixels(), in_image = pixel % taps.pixels();
    const int64_t row = (first_image + image) * taps.h.result + taps.h.place_of(in_image / taps.w.pixels);
    return (row * taps.w.result + taps.w.place_of(in_image % taps.w.pixels)) * channels;
  }
};

// The output of a block's sums. They are laid out in shared memory, so that a thread has a chunk of channels
// of every kDown-th pixel.
template <int Columns, unsigned Threads>
struct TileResult {
  static constexpr int kPitch = Columns + 8;  // floats: two rows' pairs are then in different banks
  static constexpr int kAcross = Columns / kChunkValues, kDown = static_cast<int>(Threads) / kAcross;
  static constexpr size_t kBytes = kTilePixels * kPitch * sizeof(float);
  static_assert(kDown * Columns * sizeof(Totals) <= kBytes);

  static __device__ int chunk() { return static_cast<int>(threadIdx.x) % kAcross; }
  static __device__ int down() { return static_cast<int>(threadIdx.x) / kAcross; }

  // Adds the residual, rounds and stores; `totals` become the thread's own sums of what was stored.
  template <class Tile>
  static __device__ void write_result(const Convolution& c, const Tile& tile, const float* staged,
                                      Totals (&totals)[kChunkValues]) {
    const int channel = tile.first_channel + chunk() * kChunkValues;
    if (channel >= tile.channels) return;
    for (int row = down(); row < kTilePixels && tile.first_pixel + row < tile.end; row += kDown) {
      const int64_t place = tile.place(tile.first_pixel + row) + channel;
      auto values = load<kChunkValues>(staged + row * kPitch + chunk() * kChunkValues);
      if (c.residual != nullptr) {
        const auto residual = load<kChunkValues>(c.residual + place);
        for (int lane = 0; lane < kChunkValues; ++lane) values.lanes[lane] += residual.lanes[lane];
      }
      Chunk rounded;
      for (int lane = 0; lane < kChunkValues; ++lane) rounded.lanes[lane] = bf16(values.lanes[lane]);
      store(c.result + place, rounded);
      if (c.sums != nullptr) add(rounded, totals);
    }
  }
  // Adds in double, as GhostMoments does.
  static __device__ void add(const Chunk& values, Totals (&totals)[kChunkValues]) {
    for (int lane = 0; lane < kChunkValues; ++lane) {
      const double v = static_cast<double>(static_cast<float>(values.lanes[lane]));
      totals[lane].first += v;
      totals[lane].second += v * v;
    }
  }
  // Writes the block's sums of each channel to `sums` [2,channels]. Threads are added in order.
  template <class Tile>
  static __device__ void write_sums(const Tile& tile, const Totals (&totals)[kChunkValues], Totals* shared,
                                    double* sums) {
    for (int lane = 0; lane < kChunkValues; ++lane)
      shared[down() * Columns + chunk() * kChunkValues + lane] = totals[lane];
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < Columns; i += static_cast<int>(Threads)) {
      if (tile.first_channel + i >= tile.channels) return;
      Totals total;
      for (int row = 0; row < kDown; ++row) {
        total.first += shared[row * Columns + i].first;
        total.second += shared[row * Columns + i].second;
      }
      sums[tile.first_channel + i] = total.first;
      sums[tile.channels + tile.first_channel + i] = total.second;
    }
  }
};

template <Direction direction, int Columns, bool Normalise>
struct ConvolveBlock {
  using Sums = TileSums<kTilePixels, Columns>;
  static constexpr unsigned kThreads = Sums::kThreads;
  using Pixels = PixelRows<kTilePixels, kThreads, Normalise>;
  using Weights = std::conditional_t<direction == Direction::forward, WeightRows<Columns, kThreads>,
                                     WeightColumns<Columns, kThreads>>;
  using Result = TileResult<Columns, kThreads>;
  static constexpr size_t kTiles = kStagesBytes<typename Pixels::Tile, typename Weights::Tile>;

  static size_t shared_bytes(const Conv2dGeometry& g) {
    return std::max(kTiles + (Normalise ? NormTable::bytes(g.c) : 0), Result::kBytes);
  }
};

template <Direction direction, int Columns, bool Normalise>
__global__ void __launch_bounds__(TileSums<kTilePixels, Columns>::kThreads,
                                  TileSums<kTilePixels, Columns>::kBlocksAtOnce)
    convolve_kernel(Convolution c) {
  using Block = ConvolveBlock<direction, Columns, Normalise>;
  using Result = typename Block::Result;
  const ConvolutionTile<direction, Columns> tile(c.geometry);
  if (tile.first_pixel >= tile.end) return;  // the whole block: another class has more pixels
  auto* shared = dynamic_shared<unsigned char>();
  const NormTable norm(shared + Block::kTiles, c.norm.geometry.relu);
  if constexpr (Normalise) {
    norm.fill(c.norm, tile.ghost, tile.taps.channels);
    __syncthreads();
  }

  typename Block::Sums sums;
  typename Block::Pixels pixels(tile.taps, c.source + tile.first_image * tile.taps.source_image(),
                                tile.first_pixel, tile.end, norm);
  typename Block::Weights weights(c.geometry, tile.taps, c.weight, tile.first_channel);
  multiply((tile.taps.steps_of_sum() + kStep - 1) / kStep, pixels, weights, reinterpret_cast<Chunk*>(shared),
           sums);

  auto* staged = reinterpret_cast<float*>(shared);
  sums.each_pair([staged](int row, int column, float left, float right) {
    store(staged + row * Result::kPitch + column, Vector<float, 2>{left, right});
  });
  __syncthreads();
  Totals totals[kChunkValues];
  Result::write_result(c, tile, staged, totals);
  if (c.sums == nullptr) return;
  __syncthreads();
  const int64_t tiles = gridDim.x / ((tile.channels + Columns - 1) / Columns);
  Result::write_sums(tile, totals, reinterpret_cast<Totals*>(shared),
                     c.sums + (tile.ghost * tiles + tile.tile) * 2 * tile.channels);
}

// Returns the number of tiles of a ghost batch.
inline int64_t pixel_tiles(const Conv2dGeometry& g, const Taps& taps) {
  return (g.ghost * taps.pixels() + kTilePixels - 1) / kTilePixels;
}

template <Direction direction, int Columns, bool Normalise>
void launch_convolve(cudaStream_t stream, const Convolution& c) {
  using Block = ConvolveBlock<direction, Columns, Normalise>;
  constexpr bool kForward = direction == Direction::forward;
  const Conv2dGeometry& g = c.geometry;
  const int64_t classes = kForward ? 1 : g.stride_h * g.stride_w, channels = kForward ? g.k : g.c;
  int64_t tiles = 0;
  for (int64_t i = 0; i < classes; ++i)
    tiles = std::max(tiles, pixel_tiles(g, kForward ? forward_taps(g) : backward_taps(g, i)));
  const Grid grid{dim3(static_cast<unsigned>(tiles) * blocks_for(channels, Columns), blocks_for(g.n, g.ghost),
                       static_cast<unsigned>(classes)),
                  Block::kThreads, Block::shared_bytes(g)};
  launch(stream, grid, convolve_kernel<direction, Columns, Normalise>, c);
}

// Launches blocks of 128 channels, which read the pixels half as often as blocks of 64, if one ghost batch
// still has a block for every multiprocessor of a large device; otherwise blocks of 64. Both give equal bits.
template <Direction direction, bool Normalise>
void convolve(cudaStream_t stream, const Convolution& c) {
  constexpr int64_t kNarrow = 64, kWide = 128, kMultiprocessors = 128;
  constexpr bool kForward = direction == Direction::forward;
  const Conv2dGeometry& g = c.geometry;
  const int64_t channels = kForward ? g.k : g.c;
  const int64_t pixels = kForward ? g.ghost * g.p * g.q : g.ghost * g.h * g.w;
  if (channels % kWide == 0 && pixels / kTilePixels * (channels / kWide) >= kMultiprocessors)
    launch_convolve<direction, kWide, Normalise>(stream, c);
  else
    launch_convolve<direction, kNarrow, Normalise>(stream, c);
}

}  // namespace crescendo::cuda
