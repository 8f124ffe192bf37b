// A block of target pixels is a matrix product: its patches (im2col.h), which stay in the second-level cache,
// times the packed weights, a tile of kTileWidth output channels at a time. An output is one chain of
// multiply-adds over taps and channels, whatever the block.
#include "kernels/cpu/conv2d_direct.h"

#include "kernels/cpu/im2col.h"
#include "kernels/cpu/matmul_tile.h"
#include "kernels/cpu/parallel.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

constexpr int64_t kMostGroups = 8;  // of kTileRows pixels in a block

int64_t depth_of(const GatherConvolution& d) { return d.taps() * d.in; }
// Between patches: beyond their size, for powers of two would collide in the cache's sets.
int64_t patch_stride(const GatherConvolution& d) { return aligned(depth_of(d)) + 16; }

int64_t block_pixels(const GatherConvolution& d) {
  constexpr int64_t kCachedElements = 1 << 16;  // a quarter of the second-level cache
  return kTileRows * std::clamp<int64_t>(kCachedElements / (kTileRows * std::max<int64_t>(1, depth_of(d))), 1,
                                         kMostGroups);
}

// Whether all target pixels lie equally far apart, across rows and images.
bool is_one_row(const GatherConvolution& d) {
  return d.target_row == d.columns * d.target_pixel && d.target_image == d.rows * d.target_row;
}

// Target pixels [begin, end), counted row after row and image after image.
struct Block {
  int64_t begin, end;
};

// One tile of output channels of a block: sums [pixel][kTileWidth].
void write_tile(const GatherConvolution& d, const Block& block, int64_t first, const real* sums,
                const real* bias, real* target, Write write) {
  const int64_t channels = std::min<int64_t>(kTileWidth, d.out - first);
  int64_t image = block.begin / d.pixels(), i = block.begin % d.pixels() / d.columns,
          j = block.begin % d.columns;
  for (int64_t pixel = block.begin; pixel < block.end; ++pixel, sums += kTileWidth) {
    real* to = target + image * d.target_image + i * d.target_row + j * d.target_pixel + first;
    for (int64_t v = 0; v < channels; v += kLanes) {
      const int64_t lanes = channels - v;
      Vector sum = load(sums + v);
      if (bias != nullptr) sum = add(sum, load_some(bias + first + v, lanes));
      store_some(to + v, lanes, write == Write::add ? add(load_some(to + v, lanes), sum) : sum);
    }
    if (++j < d.columns) continue;
    j = 0;
    if (++i < d.rows) continue;
    i = 0;
    ++image;
  }
}

}  // namespace

int64_t packed_size(const GatherConvolution& d) { return aligned(depth_of(d) * padded_to_tiles(d.out)); }

int64_t direct_scratch_size(const GatherConvolution& d) {
  return aligned(block_pixels(d) * (patch_stride(d) + kTileWidth));
}

void run_direct(const GatherConvolution& d, int threads, const real* source, const real* packed,
                const real* bias, real* scratch, real* target, Write write) {
  const int64_t pixels = d.images * d.pixels(), depth = depth_of(d);
  // No larger than what gives every thread several.
  const int64_t shared = (pixels / (4 * threads) + kTileRows - 1) / kTileRows * kTileRows;
  const int64_t size = std::clamp<int64_t>(shared, kTileRows, block_pixels(d));
  parallel_for(threads, (pixels + size - 1) / size, [&](int64_t index, int thread) {
    const Block block{index * size, std::min(pixels, (index + 1) * size)};
    const int64_t count = block.end - block.begin;
    real* sums = scratch + thread * direct_scratch_size(d);
    real* patches = sums + block_pixels(d) * kTileWidth;
    const bool as_it_is = is_im2col(d) && depth < 256;
    const int64_t row_stride = as_it_is ? depth : patch_stride(d);
    if (!as_it_is) im2col(d, source, block.begin, count, row_stride, patches);
    const real* rows = as_it_is ? source + block.begin * depth : patches;
    const int64_t next_end = std::min(pixels, block.end + size);
    Prefetch next = prefetch_im2col(d, source, block.end, next_end, tile_count(count, d.out));
    for (int64_t first = 0; first < d.out; first += kTileWidth) {
      const int64_t width = tile_width(d.out, first / kTileWidth);
      const bool in_place = bias == nullptr && is_one_row(d) && first + width <= d.out;
      real* to = in_place ? target + block.begin * d.target_pixel + first : sums;
      const int64_t stride = in_place ? d.target_pixel : kTileWidth;
      multiply_tiles(
          count, width, depth, rows, row_stride, 1, packed + first * depth, 0, [](int64_t w) { return w; },
          to, stride, in_place ? write : Write::overwrite, next);
      if (!in_place) write_tile(d, block, first, sums, bias, target, write);
    }
  });
}

}  // namespace crescendo::CRESCENDO_CPU
