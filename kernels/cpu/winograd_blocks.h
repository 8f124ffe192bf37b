// Gather convolutions by Winograd's algorithm, with any operation on the pixels that they read and on the
// results that they write. Tiles of target pixels, 4x4 for a 3x3 filter, are computed in blocks. A block is
// so small that its V and M stay in the second-level cache:
//   V[point][tile][in]  = B^T source B, for the source pixels under each tile
//   M[point][tile][out] = V[point] * U[class of point], where U are the transformed weights
//   target              = A^T M A
// With a 3x3 filter M takes 36 matrix products, or 81 with stride 2. A target value depends on its own tile
// alone, so it depends neither on the block nor on the thread.
#pragma once

#include "kernels/cpu/gather_convolution.h"
#include "kernels/cpu/matmul_tile.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/stream.h"
#include "kernels/cpu/winograd_strips.h"

namespace crescendo::CRESCENDO_CPU::winograd {

// The division of the tiles into blocks, and the sizes of the buffers.
template <class Algorithm>
struct BlockPlan {
  StripGrid grid;
  int64_t strips, block_strips;                        // number in all images, and in a block
  int64_t panel;                                       // output channels that a block computes at a time
  int64_t v_row, v_matrix, m_row, m_matrix, u_matrix;  // strides in elements

  explicit BlockPlan(const GatherConvolution& d)
      : grid(StripGrid::of<Algorithm>((d.rows + d.spread - 1) / d.spread,
                                      (d.columns + d.spread - 1) / d.spread)),
        strips(grid.strips(d.images)) {
    u_matrix = d.in * padded_to_tiles(d.out) + kSkew;
    // If the weights stay in the cache, blocks have few tiles and outputs, so that V and M stay in the
    // second-level cache; with few points they can have more. Otherwise blocks are large, so that many tiles
    // share the weights that come from memory.
    const bool in_cache = weights_size() * static_cast<int64_t>(sizeof(real)) <= kCachedBytes;
    panel = in_cache ? 64 : d.out;
    block_strips =
        std::max<int64_t>(1, (in_cache && Algorithm::kMatrices >= 36 ? 16 : 64) / grid.strip_tiles());
    v_row = padded_to_tiles(d.in) + kSkew;
    m_row = padded_to_tiles(std::min(d.out, panel)) + kSkew;
    v_matrix = block_strips * grid.strip_tiles() * v_row + kSkew;
    m_matrix = block_strips * grid.strip_tiles() * m_row + kSkew;
  }
  int64_t weights_size() const { return Algorithm::kWeightMatrices * u_matrix; }
  int64_t scratch_size() const { return Algorithm::kMatrices * (v_matrix + m_matrix); }  // of a thread
};

// The position of a tile of target pixels, and of one vector of its channels.
struct TilePlace {
  int64_t image, row, column;  // of the first pixel
  int64_t rows, columns;       // inside the image
  int64_t index;               // StripGrid::tile
  int64_t channel, lanes;      // the first channel, and the number of channels from there on
};

// A tile with all its pixels and lanes. Its size is known at compile time, so its values stay in registers.
template <int Rows, int Columns>
struct WholeTile : TilePlace {
  template <class F>
  void each_pixel(const F& f) const {
    repeat<Rows>([&](auto i) { repeat<Columns>([&](auto j) { f(i(), j()); }); });
  }
  Vector read(const real* from) const { return load(from); }
  void write(real* to, const Vector& value) const { store(to, value); }
  void write(real* to, const Vector& value, bool past_cache) const {
    past_cache ? stream(to, value) : store(to, value);
  }
};

// A tile that the border of the image or the last channel cuts off.
struct PartOfTile : TilePlace {
  template <class F>
  void each_pixel(const F& f) const {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) f(i, j);
  }
  Vector read(const real* from) const { return load_some(from, lanes); }
  void write(real* to, const Vector& value, bool = false) const { store_some(to, lanes, value); }
};

// Transforms channels [first, last) of one tile of M and writes them to the output.
template <class Algorithm, class Place, class Output>
[[gnu::flatten]] void transform_target(const BlockPlan<Algorithm>& plan, const TilePlace& place,
                                       int64_t first, int64_t last, const real* m, const Output& output) {
  using Down = typename Algorithm::Down::Target;
  using Along = typename Algorithm::Along::Target;
  Place at{place};
  for (int64_t k = first; k < last; k += kLanes, m += kLanes) {
    at.channel = k;
    at.lanes = last - k;
    Vector tile[Down::kTo][Along::kTo];
    in_two_dimensions<Down, Along>(
        [&](int i, int j) { return load(m + (i * Along::kFrom + j) * plan.m_matrix); },
        [&](int i, int j, const Vector& value) { tile[i][j] = value; });
    output.write(at, tile);
  }
}

// Transforms channels [first, last) of all tiles in strips [begin, end) and writes them to the output.
template <class Algorithm, class Output>
void transform_targets(const GatherConvolution& d, const BlockPlan<Algorithm>& plan, int64_t begin,
                       int64_t end, int64_t first, int64_t last, const real* m, const Output& output) {
  constexpr int64_t kRows = Algorithm::Down::Target::kTo, kColumns = Algorithm::Along::Target::kTo;
  for (int64_t index = begin; index < end; ++index) {
    const Strip strip = plan.grid.strip(index);
    for (int64_t t = 0; t < strip.tiles; ++t, m += plan.m_row) {
      const int64_t row = strip.row * kRows, column = (strip.column + t) * kColumns;
      const TilePlace place{.image = strip.image,
                            .row = row,
                            .column = column,
                            .rows = std::min(kRows, d.rows - row),
                            .columns = std::min(kColumns, d.columns - column),
                            .index = plan.grid.tile(strip.image, strip.row, strip.column + t),
                            .channel = 0,
                            .lanes = 0};
      if (place.rows == kRows && place.columns == kColumns && d.out % kLanes == 0)
        transform_target<Algorithm, WholeTile<kRows, kColumns>>(plan, place, first, last, m, output);
      else
        transform_target<Algorithm, PartOfTile>(plan, place, first, last, m, output);
    }
  }
}

// Computes the convolution. Input is AsTheyAre or Normalised. Output has two functions: write() takes a
// WholeTile or PartOfTile with its results for one vector of channels; reads() returns the image that write()
// reads, laid out like the target, or an image without pixels.
template <class Algorithm, class Input, class Output>
void run_blocks(const GatherConvolution& d, const Threads& threads, const Image& source, const Input& input,
                const real* transformed, real* scratch, const Output& output) {
  const BlockPlan<Algorithm> plan(d);
  const int64_t blocks = (plan.strips + plan.block_strips - 1) / plan.block_strips;
  parallel_for(threads, blocks, [&](int64_t block, int thread) {
    const int64_t begin = block * plan.block_strips, end = std::min(begin + plan.block_strips, plan.strips);
    real* v = scratch + thread * plan.scratch_size();
    real* m = v + Algorithm::kMatrices * plan.v_matrix;
    const int64_t first_row = (d.first_row + d.spread - 1) / d.spread,
                  first_column = (d.first_column + d.spread - 1) / d.spread;
    int64_t tiles = 0;
    for (int64_t index = begin; index < end; ++index) {
      const Strip strip = plan.grid.strip(index);
      transform_strip<typename Algorithm::Down::Source, typename Algorithm::Along::Source>(
          source.next(strip.image), input, strip, first_row, first_column, 0, d.in, v + tiles * plan.v_row,
          plan.v_row, plan.v_matrix);
      tiles += strip.tiles;
    }
    // The first products prefetch what the output reads, the other products the next block's source pixels.
    const int64_t next_end = std::min(end + plan.block_strips, plan.strips);
    const bool joined = output.reads().pixels != nullptr;
    const int64_t steps = tile_count(tiles, d.out) * Algorithm::kMatrices,
                  steps_besides =
                      joined ? tile_count(tiles, std::min(d.out, plan.panel)) * Algorithm::kMatrices / 2 : 0;
    Prefetch besides = prefetch_strips(plan.grid, output.reads(), begin, end, 0, Algorithm::Down::Target::kTo,
                                       Algorithm::Down::Target::kTo, std::max<int64_t>(1, steps_besides));
    Prefetch next =
        prefetch_strips(plan.grid, source, end, next_end, first_row, Algorithm::Down::Source::kFrom,
                        Algorithm::Down::Source::kDistance, steps - steps_besides);
    for (int64_t first = 0; first < d.out; first += plan.panel) {
      const int64_t last = std::min(first + plan.panel, d.out);
      each_class<Algorithm>([&](int64_t of, std::span<const int64_t> points) {
        for (const int64_t point : points)
          multiply_tiles(
              tiles, last - first, d.in, v + point * plan.v_matrix, plan.v_row, 1,
              transformed + of * plan.u_matrix + first * d.in, d.in * kTileWidth,
              [](int64_t width) { return width; }, m + point * plan.m_matrix, plan.m_row, Write::overwrite,
              joined && first == 0 && 2 * of < Algorithm::kWeightMatrices ? besides : next);
      });
      transform_targets(d, plan, begin, end, first, last, m, output);
    }
    end_streaming();
  });
}

}  // namespace crescendo::CRESCENDO_CPU::winograd
