// Tiles of 4x4 target pixels are taken in blocks small enough that a block stays in the second-level cache:
//   V[point][tile][in]  = B^T source B, of the 6x6 source pixels under a tile
//   M[point][tile][out] = V[point] * U[point], 36 matrix products
//   target              = A^T M A
// A target value is a function of its own tile alone, so neither the block nor the thread changes it.
#include "kernels/cpu/conv2d_winograd.h"

#include <algorithm>

#include "kernels/cpu/matmul_tile.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/winograd.h"

namespace crescendo {

namespace {

using winograd::kPoints;
using winograd::kTile;

using winograd::kMatrices;
using winograd::kSkew;

struct Plan {
  winograd::StripGrid grid;
  int64_t strips, block_strips;                        // of all images, of a block
  int64_t v_row, v_matrix, m_row, m_matrix, u_matrix;  // strides in elements

  explicit Plan(const GatherConvolution& d) : grid(d.rows, d.columns), strips(grid.strips(d.images)) {
    // The products of wide layers read more weights: share them among more tiles.
    const int64_t tiles = std::clamp<int64_t>((d.in + d.out) / 8, 16, 64);
    block_strips = std::max<int64_t>(1, tiles / grid.strip_tiles());
    v_row = padded_to_tiles(d.in) + kSkew;
    m_row = padded_to_tiles(d.out) + kSkew;
    v_matrix = block_strips * grid.strip_tiles() * v_row + kSkew;
    m_matrix = block_strips * grid.strip_tiles() * m_row + kSkew;
    u_matrix = d.in * padded_to_tiles(d.out) + kSkew;
  }
};

// The tile whose first target pixel is (row, column) of an image.
void transform_target(const GatherConvolution& d, const Plan& plan, int64_t row, int64_t column,
                      const real* m, const real* bias, real* image, Write write) {
  const int64_t rows = std::min<int64_t>(kTile, d.rows - row),
                columns = std::min<int64_t>(kTile, d.columns - column);
  real* corner = image + row * d.target_row + column * d.target_pixel;
  for (int64_t k = 0; k < d.out; k += kLanes) {
    const int64_t lanes = d.out - k;
    const Vector offset = bias == nullptr ? zero() : load_some(bias + k, lanes);
    winograd::in_two_dimensions<winograd::OutputTransform<kTile>>(
        [&](int i, int j) { return load(m + (i * kPoints + j) * plan.m_matrix + k); },
        [&](int i, int j, const Vector& value) {
          if (i >= rows || j >= columns) return;
          real* to = corner + i * d.target_row + j * d.target_pixel + k;
          const Vector result = add(value, offset);
          store_some(to, lanes, write == Write::add ? add(load_some(to, lanes), result) : result);
        });
  }
}

}  // namespace

bool uses_winograd(const GatherConvolution& d, ConvolutionAlgorithm algorithm) {
  return d.taps_h == 3 && d.taps_w == 3 && d.step_h == 1 && d.step_w == 1 &&
         winograd::chosen(algorithm, d.rows, d.columns, d.in, d.out);
}

int64_t winograd_weights_size(const GatherConvolution& d) { return kMatrices * Plan(d).u_matrix; }

int64_t winograd_scratch_size(const GatherConvolution& d) {
  const Plan plan(d);
  return kMatrices * (plan.v_matrix + plan.m_matrix);
}

void transform_weights(const GatherConvolution& d, int64_t out, int64_t in, const Vector (&taps)[9][kLanes],
                       real* transformed) {
  const Plan plan(d);
  const int64_t tile = out / kTileWidth, width = tile_width(d.out, tile);
  real* to = transformed + tile * kTileWidth * d.in + in * width + out % kTileWidth;
  for (int64_t i = 0; i < std::min<int64_t>(kLanes, d.in - in); ++i, to += width)
    winograd::in_two_dimensions<winograd::FilterTransform<3>>(
        [&](int r, int s) { return taps[r * 3 + s][i]; },
        [&](int r, int s, const Vector& value) { store(to + (r * kPoints + s) * plan.u_matrix, value); });
}

void run_winograd(const GatherConvolution& d, int threads, const real* source, const real* transformed,
                  const real* bias, real* scratch, real* target, Write write) {
  const Plan plan(d);
  const winograd::Image first{source, d.h, d.w, d.in};
  parallel_for(
      threads, (plan.strips + plan.block_strips - 1) / plan.block_strips, [&](int64_t block, int thread) {
        const int64_t begin = block * plan.block_strips,
                      end = std::min(begin + plan.block_strips, plan.strips);
        real* v = scratch + thread * winograd_scratch_size(d);
        real* m = v + kMatrices * plan.v_matrix;
        int64_t tiles = 0;
        for (int64_t index = begin; index < end; ++index) {
          const winograd::Strip strip = plan.grid.strip(index);
          winograd::transform_strip<winograd::InputTransform>(
              first.next(strip.image), strip, strip.row + d.first_row, strip.column + d.first_column, 0, d.in,
              v + tiles * plan.v_row, plan.v_row, plan.v_matrix);
          tiles += strip.tiles;
        }
        const winograd::Prefetch next = winograd::prefetch_strips(
            plan.grid, first, end, std::min(end + plan.block_strips, plan.strips), d.first_row, kPoints);
        for (int64_t point = 0; point < kMatrices; ++point) {
          next.slice(point, kMatrices);
          multiply_tiles(
              tiles, d.out, d.in, v + point * plan.v_matrix, plan.v_row, 1,
              transformed + point * plan.u_matrix, d.in * kTileWidth, [](int64_t width) { return width; },
              m + point * plan.m_matrix, plan.m_row, Write::overwrite);
        }
        for (int64_t index = begin; index < end; ++index) {
          const winograd::Strip strip = plan.grid.strip(index);
          for (int64_t t = 0; t < strip.tiles; ++t, m += plan.m_row)
            transform_target(d, plan, strip.row, strip.column + t * kTile, m, bias,
                             target + strip.image * d.target_image, write);
        }
      });
}

}  // namespace crescendo
