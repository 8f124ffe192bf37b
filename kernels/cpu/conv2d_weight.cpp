// dweight[k, r, s, c] = sum over images and pixels of dy[p, q, k] * x[p * stride_h + r - pad_top, ...]
//
// The images of a ghost are cut into chunks, a number that follows from the geometry alone; each chunk sums
// into a partial of its own, and the partials are added in order. A piece of work is a chunk and a tile of
// input channels, which is first copied, a block of pixels at a time, into a strip with its zero padding, so
// that taps are mere offsets. Then kTileRows output channels x the tile stay in registers while the pixels of
// the block pass by.
#include "kernels/cpu/conv2d_weight.h"

#include <algorithm>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace crescendo {

namespace {

// Blocks this long keep strip and dy in the first-level cache and loading the sums cheap.
constexpr int64_t kBlockPixels = 128;

struct Plan {
  int64_t chunks;
  int64_t taps;
  int64_t block_images, block_rows;   // of y: rows of one image, or several whole images
  int64_t strip_rows, strip_columns;  // of x, with padding, for one image of a block
  int64_t strip_size, partial_size;   // elements

  explicit Plan(const Conv2dGeometry& g) {
    constexpr int64_t kFewWeights = int64_t{1} << 18, kChunkPixels = 1024;
    taps = g.r * g.s;
    partial_size = aligned(g.k * taps * padded_to_tiles(g.c));
    const int64_t most = std::min<int64_t>(g.ghost, partial_size <= kFewWeights ? 32 : 8);
    chunks = std::clamp<int64_t>(g.ghost * g.p * g.q / kChunkPixels, 1, most);
    block_rows = std::clamp<int64_t>(kBlockPixels / g.q, 1, g.p);
    const int64_t chunk_images = (g.ghost + chunks - 1) / chunks;
    block_images = block_rows < g.p ? 1 : std::clamp<int64_t>(kBlockPixels / (g.p * g.q), 1, chunk_images);
    strip_rows = (block_rows - 1) * g.stride_h + g.r;
    strip_columns = (g.q - 1) * g.stride_w + g.s;
    strip_size = aligned(block_images * strip_rows * strip_columns * kTileWidth);
  }
};

struct Block {
  int64_t image, images;  // of the ghost
  int64_t row, rows;      // of y
};

// Copies the channels [first, first + channels) that a block of y reads to strip [images, rows, columns,
// width].
void fill_strip(const Conv2dGeometry& g, const Plan& plan, const Block& block, const real* x, int64_t first,
                int64_t channels, int64_t width, real* strip) {
  for (int64_t image = block.image; image < block.image + block.images; ++image)
    for (int64_t i = 0; i < plan.strip_rows; ++i) {
      const int64_t h = block.row * g.stride_h + i - g.pad_top;
      for (int64_t j = 0; j < plan.strip_columns; ++j, strip += width) {
        const int64_t w = j - g.pad_left;
        const bool exists = h >= 0 && h < g.h && w >= 0 && w < g.w;
        const int64_t copied = exists ? channels : 0;
        const real* from = x + ((image * g.h + h) * g.w + w) * g.c + first;
        for (int64_t c = 0; c < width; ++c) strip[c] = c < copied ? from[c] : real{0};
      }
    }
}

// sums [Rows][Vectors] += dy [pixel, Rows] * strip [pixel, Vectors] over the pixels of a block; `sums` lie
// `stride` elements apart.
template <int Rows, int Vectors>
void accumulate_block(const Conv2dGeometry& g, const Plan& plan, const Block& block, const real* strip,
                      const real* dy, real* sums, int64_t stride) {
  constexpr int kWidth = Vectors * kLanes;
  Vector sum[Rows][Vectors];
  for (int m = 0; m < Rows; ++m)
    for (int v = 0; v < Vectors; ++v) sum[m][v] = load(sums + m * stride + v * kLanes);
  for (int64_t image = 0; image < block.images; ++image)
    for (int64_t row = 0; row < block.rows; ++row) {
      const real* x = strip + (image * plan.strip_rows + row * g.stride_h) * plan.strip_columns * kWidth;
      const real* d = dy + (image * g.p + row) * g.q * g.k;
      for (int64_t q = 0; q < g.q; ++q, x += g.stride_w * kWidth, d += g.k) {
        Vector from[Vectors];
        for (int v = 0; v < Vectors; ++v) from[v] = load(x + v * kLanes);
        for (int m = 0; m < Rows; ++m) {
          const Vector factor = broadcast(d + m);
          for (int v = 0; v < Vectors; ++v) sum[m][v] = multiply_add(factor, from[v], sum[m][v]);
        }
      }
    }
  for (int m = 0; m < Rows; ++m)
    for (int v = 0; v < Vectors; ++v) store(sums + m * stride + v * kLanes, sum[m][v]);
}

// One block into the partial sums [k, taps, width] of a tile.
template <int Vectors>
void accumulate_tile(const Conv2dGeometry& g, const Plan& plan, const Block& block, const real* strip,
                     const real* dy, real* partial) {
  constexpr int kWidth = Vectors * kLanes;
  const real* from = dy + (block.image * g.p + block.row) * g.q * g.k;
  for (int64_t k = 0; k < g.k; k += kTileRows)
    with_rows(g.k - k, [&](auto rows) {
      for (int64_t r = 0; r < g.r; ++r)
        for (int64_t s = 0; s < g.s; ++s)
          accumulate_block<rows(), Vectors>(g, plan, block, strip + (r * plan.strip_columns + s) * kWidth,
                                            from + k, partial + (k * plan.taps + r * g.s + s) * kWidth,
                                            plan.taps * kWidth);
    });
}

// The partial sums [tile][k][taps][width] of one chunk, for one tile of input channels.
void sum_chunk(const Conv2dGeometry& g, const Plan& plan, int64_t chunk, int64_t tile, const real* x,
               const real* dy, real* strip, real* partial) {
  const int64_t width = tile_width(g.c, tile), first = tile * kTileWidth,
                channels = std::min(width, g.c - first);
  real* sums = partial + first * g.k * plan.taps;
  std::fill_n(sums, g.k * plan.taps * width, real{0});
  const int64_t end = g.ghost * (chunk + 1) / plan.chunks;
  for (int64_t image = g.ghost * chunk / plan.chunks; image < end; image += plan.block_images)
    for (int64_t row = 0; row < g.p; row += plan.block_rows) {
      const Block block{image, std::min(plan.block_images, end - image), row,
                        std::min(plan.block_rows, g.p - row)};
      fill_strip(g, plan, block, x, first, channels, width, strip);
      with_vectors(width, [&](auto vectors) { accumulate_tile<vectors()>(g, plan, block, strip, dy, sums); });
    }
}

// dweight[k, tap, c] (=|+=) the chunks' partial sums, added in order.
void add_chunks(const Conv2dGeometry& g, const Plan& plan, int64_t k, const real* partials, real* dweight,
                Write write) {
  for (int64_t tile = 0; tile < tiles_of(g.c); ++tile) {
    const int64_t width = tile_width(g.c, tile), first = tile * kTileWidth,
                  channels = std::min(width, g.c - first);
    for (int64_t tap = 0; tap < plan.taps; ++tap) {
      const real* from = partials + first * g.k * plan.taps + (k * plan.taps + tap) * width;
      real* to = dweight + (k * plan.taps + tap) * g.c + first;
      for (int64_t c = 0; c < channels; ++c) {
        real sum = from[c];
        for (int64_t chunk = 1; chunk < plan.chunks; ++chunk) sum += from[chunk * plan.partial_size + c];
        to[c] = write == Write::add ? to[c] + sum : sum;
      }
    }
  }
}

}  // namespace

int64_t weight_workspace(const Conv2dGeometry& g, int threads) {
  if (g.ghost * g.p * g.q * g.k * g.c == 0) return 0;
  const Plan plan(g);
  return plan.chunks * plan.partial_size + threads * plan.strip_size;
}

void ghost_weight_gradient(const Conv2dGeometry& g, int threads, const real* x, const real* dy,
                           real* workspace, real* dweight, Write write) {
  const Plan plan(g);
  const int64_t tiles = tiles_of(g.c);
  real* strips = workspace + plan.chunks * plan.partial_size;
  parallel_for(threads, plan.chunks * tiles, [&](int64_t task, int thread) {
    const int64_t chunk = task / tiles;
    sum_chunk(g, plan, chunk, task % tiles, x, dy, strips + thread * plan.strip_size,
              workspace + chunk * plan.partial_size);
  });
  parallel_for(threads, g.k, [&](int64_t k, int) { add_chunks(g, plan, k, workspace, dweight, write); });
}

}  // namespace crescendo
