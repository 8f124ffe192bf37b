// A group of kTileRows output pixels times a tile of kTileWidth output channels stays in registers while all
// taps and input channels pass by: one vector of weights, one broadcast of the source for each multiply-add
// of the group. The source is read where it lies: only pointers differ from pixel to pixel, so a group may
// cross rows, and outside the borders the pointer is that of a run of zeros.
#include "kernels/cpu/conv2d_direct.h"

#include <algorithm>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace crescendo {

namespace {

// One image and one tile of output channels.
struct Tile {
  const real* source;
  const real* zeros;
  const real* weights;  // [r][s][in][width]
  const real* bias;     // [width]
  real* target;         // of pixel (0, 0), at the tile's first channel
  int64_t channels;     // of the tile that exist
  Write write;
};

template <int Rows, int Vectors>
void accumulate(const real* const (&from)[Rows], int64_t in, const real* weights,
                Vector (&sums)[Rows][Vectors]) {
  for (int64_t c = 0; c < in; ++c) {
    Vector weight[Vectors];
    for (int v = 0; v < Vectors; ++v) weight[v] = load(weights + (c * Vectors + v) * kLanes);
    for (int m = 0; m < Rows; ++m) {
      const Vector x = broadcast(from[m] + c);
      for (int v = 0; v < Vectors; ++v) sums[m][v] = multiply_add(x, weight[v], sums[m][v]);
    }
  }
}

template <int Vectors>
void write_pixel(const Tile& tile, const Vector (&sums)[Vectors], real* target) {
  constexpr int kWidth = Vectors * kLanes;
  const bool adds = tile.write == Write::add;
  if (tile.channels == kWidth) {
    for (int v = 0; v < Vectors; ++v) {
      real* to = target + v * kLanes;
      store(to, adds ? add(load(to), sums[v]) : sums[v]);
    }
    return;
  }
  real values[kWidth];
  for (int v = 0; v < Vectors; ++v) store(values + v * kLanes, sums[v]);
  for (int64_t k = 0; k < tile.channels; ++k) target[k] = adds ? target[k] + values[k] : values[k];
}

// Target pixels [pixel, pixel + Rows), counted row after row.
template <int Rows, int Vectors>
void compute_group(const GatherConvolution& d, const Tile& tile, int64_t pixel) {
  int64_t row[Rows], column[Rows];  // of the first tap in the source
  real* target[Rows];
  bool inside = true;
  int64_t i = pixel / d.columns, j = pixel % d.columns;
  for (int m = 0; m < Rows; ++m) {
    row[m] = i * d.step_h + d.first_row;
    column[m] = j * d.step_w + d.first_column;
    inside =
        inside && row[m] >= 0 && row[m] + d.taps_h <= d.h && column[m] >= 0 && column[m] + d.taps_w <= d.w;
    target[m] = tile.target + i * d.target_row + j * d.target_pixel;
    if (++j == d.columns) {
      j = 0;
      ++i;
    }
  }
  Vector sums[Rows][Vectors];
  for (int m = 0; m < Rows; ++m)
    for (int v = 0; v < Vectors; ++v) sums[m][v] = load(tile.bias + v * kLanes);
  const real* weights = tile.weights;
  for (int64_t r = 0; r < d.taps_h; ++r)
    for (int64_t s = 0; s < d.taps_w; ++s) {
      const real* from[Rows];
      for (int m = 0; m < Rows; ++m) {
        const int64_t h = row[m] + r, w = column[m] + s;
        const bool exists = inside || (h >= 0 && h < d.h && w >= 0 && w < d.w);
        from[m] = exists ? tile.source + (h * d.w + w) * d.in : tile.zeros;
      }
      accumulate<Rows, Vectors>(from, d.in, weights, sums);
      weights += d.in * Vectors * kLanes;
    }
  for (int m = 0; m < Rows; ++m) write_pixel<Vectors>(tile, sums[m], target[m]);
}

// Pixels of one piece of work: few enough that what they read stays in the cache while the tiles of channels
// pass, and that every thread has several pieces.
int64_t block_pixels(const GatherConvolution& d, int threads) {
  constexpr int64_t kCachedElements = 32768;
  const int64_t cached = kCachedElements / d.in;
  const int64_t shared = d.images * d.pixels() / (4 * threads);
  return std::max<int64_t>(4, std::min(cached, shared) / kTileRows) * kTileRows;
}

}  // namespace

int64_t packed_size(const GatherConvolution& d) { return aligned(d.taps() * d.in * padded_to_tiles(d.out)); }

int64_t zeros_size(const GatherConvolution& d) { return aligned(d.in); }

void run_direct(const GatherConvolution& d, int threads, const real* source, const real* packed,
                const real* bias, real* target, Write write) {
  const int64_t block = block_pixels(d, threads), blocks = (d.pixels() + block - 1) / block;
  parallel_for(threads, d.images * blocks, [&](int64_t task, int) {
    const int64_t image = task / blocks, begin = task % blocks * block,
                  end = std::min(d.pixels(), begin + block);
    for (int64_t t = 0; t < tiles_of(d.out); ++t) {
      const int64_t first = t * kTileWidth, channels = std::min<int64_t>(kTileWidth, d.out - first);
      real biases[kTileWidth] = {};
      if (bias != nullptr) std::copy(bias + first, bias + first + channels, biases);
      const Tile tile{.source = source + image * d.h * d.w * d.in,
                      .zeros = packed + packed_size(d),
                      .weights = packed + first * d.taps() * d.in,
                      .bias = biases,
                      .target = target + image * d.target_image + first,
                      .channels = channels,
                      .write = write};
      with_vectors(tile_width(d.out, t), [&](auto vectors) {
        for (int64_t pixel = begin; pixel < end; pixel += kTileRows)
          with_rows(end - pixel, [&](auto rows) { compute_group<rows(), vectors()>(d, tile, pixel); });
      });
    }
  });
}

}  // namespace crescendo
