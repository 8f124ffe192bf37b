// The weight gradient of one ghost batch by Winograd's algorithm. For a 3x3 filter with stride 1, a tile of
// 4x4 gradients dy acts as the filter that takes 6x6 inputs x to 3x3 weight gradients:
//   V[point][tile][c] = B^T x B,  D[point][tile][k] = G dy G^T
//   S[class][k][c]    = sum over the class's points and over tiles of D[point][tile][k] * V[point][tile][c]
//   dweight           = A^T S A, once, at the end
// The tiles of a ghost batch are divided into chunks, and the channels of both sides into parts, all by the
// geometry alone. A task is one chunk and one part. Each task has its own sums; the sums of the chunks are
// then added in order.
#include "kernels/cpu/conv2d_winograd_weight.h"

#include <algorithm>

#include "kernels/cpu/matmul_tile.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/winograd_strips.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

using winograd::kSkew;

// Returns f(algorithm) with the algorithm of the convolution, which must have one.
template <class F>
auto with_algorithm(const Conv2dGeometry& g, const F& f) {
  if (g.stride_h == 2) return f(winograd::StrideTwo());
  return winograd::with_unit_stride(g.r, g.s, f);
}

// Output and input channels of a part, and tiles of a block. With more channels, fewer tiles are transformed
// twice; with more tiles, S is fetched less often. Both need more of the second-level cache.
constexpr int64_t kPartOut = 128, kPartIn = 64;
template <class Algorithm>
constexpr int64_t kBlockTiles = Algorithm::kMatrices < 36 ? 96 : 48;

// The division of the work, and the sizes of its buffers.
template <class Algorithm>
struct Plan {
  winograd::StripGrid grid;
  int64_t strips, block_strips;  // of the ghost batch, of a block
  int64_t chunks, parts_out, parts_in;
  int64_t v_row, v_matrix, d_row, d_matrix, sum_row, sum_matrix;  // strides in elements
  int64_t sums_size, scratch_size;  // elements of a task's sums, and of a thread's V and D

  explicit Plan(const Conv2dGeometry& g)
      : grid(winograd::StripGrid::of<Algorithm>(g.p, g.q)), strips(grid.strips(g.ghost)) {
    constexpr int64_t kMostTasks = 8, kChunkTiles = 256;
    parts_out = (g.k + kPartOut - 1) / kPartOut;
    parts_in = (g.c + kPartIn - 1) / kPartIn;
    chunks = std::clamp<int64_t>(strips * grid.strip_tiles() / kChunkTiles, 1,
                                 std::max<int64_t>(1, kMostTasks / parts()));
    block_strips = std::max<int64_t>(1, kBlockTiles<Algorithm> / grid.strip_tiles());
    const int64_t block = block_strips * grid.strip_tiles();
    v_row = sum_row = padded_to_tiles(std::min(kPartIn, g.c)) + kSkew;
    d_row = kPartOut + kSkew;
    v_matrix = block * v_row + kSkew;
    d_matrix = block * d_row + kSkew;
    sum_matrix = std::min(kPartOut, g.k) * sum_row + kSkew;
    sums_size = Algorithm::kWeightMatrices * sum_matrix;
    scratch_size = Algorithm::kMatrices * (v_matrix + d_matrix);
  }
  int64_t parts() const { return parts_out * parts_in; }
};

// Computes S over the tiles of one chunk for the channels of one part.
template <class Algorithm, class Input>
void sum_chunk(const Conv2dGeometry& g, const Plan<Algorithm>& plan, int64_t chunk, int64_t part,
               const real* x, const Input& input, const real* dy, real* scratch, real* sums) {
  using Down = typename Algorithm::Down;
  using Along = typename Algorithm::Along;
  const int64_t first = part / plan.parts_in * kPartOut, outputs = std::min(kPartOut, g.k - first);
  const int64_t first_in = part % plan.parts_in * kPartIn, inputs = std::min(kPartIn, g.c - first_in);
  const int64_t last = plan.strips * (chunk + 1) / plan.chunks;
  real* v = scratch;
  real* d = scratch + Algorithm::kMatrices * plan.v_matrix;
  const winograd::Image first_x{x, g.h, g.w, g.c}, first_dy{dy, g.p, g.q, g.k};
  const int64_t start = plan.strips * chunk / plan.chunks;
  for (int64_t begin = start; begin < last; begin += plan.block_strips) {
    const int64_t end = std::min(begin + plan.block_strips, last);
    int64_t tiles = 0;
    for (int64_t index = begin; index < end; ++index) {
      const winograd::Strip strip = plan.grid.strip(index);
      winograd::transform_strip<typename Down::Source, typename Along::Source>(
          first_x.next(strip.image), input, strip, -g.pad_top, -g.pad_left, first_in, first_in + inputs,
          v + tiles * plan.v_row, plan.v_row, plan.v_matrix);
      winograd::transform_strip<typename Down::Gradient, typename Along::Gradient>(
          first_dy.next(strip.image), winograd::AsTheyAre(), strip, 0, 0, first, first + outputs,
          d + tiles * plan.d_row, plan.d_row, plan.d_matrix);
      tiles += strip.tiles;
    }
    const int64_t next_end = std::min(end + plan.block_strips, last);
    const int64_t steps = tile_count(outputs, inputs) * Algorithm::kWeightMatrices / 2;
    Prefetch next_x = winograd::prefetch_strips(plan.grid, first_x, end, next_end, -g.pad_top,
                                                Down::Source::kFrom, Down::Source::kDistance, steps);
    Prefetch next_dy = winograd::prefetch_strips(plan.grid, first_dy, end, next_end, 0, Down::Gradient::kFrom,
                                                 Down::Gradient::kDistance, steps);
    winograd::each_class<Algorithm>([&](int64_t of, std::span<const int64_t> points) {
      Stretch stretches[16];
      for (size_t i = 0; i < points.size(); ++i)
        stretches[i] = {points[i] * plan.d_matrix, points[i] * plan.v_matrix, tiles};
      multiply_tiles(
          outputs, inputs, Stretches(stretches, points.size()), d, std::integral_constant<int64_t, 1>(),
          plan.d_row, v, kTileWidth, [&](int64_t) { return plan.v_row; }, sums + of * plan.sum_matrix,
          plan.sum_row, begin == start ? Write::overwrite : Write::add,
          2 * of < Algorithm::kWeightMatrices ? next_x : next_dy);
    });
  }
}

// Computes dweight[k] (=|+=) A^T S A, where S is the sum over the chunks, in order.
template <class Algorithm>
void transform_sums(const Conv2dGeometry& g, const Plan<Algorithm>& plan, int64_t k, const real* sums,
                    real* dweight, Write write) {
  using Along = typename Algorithm::Along::FilterGradient;
  const int64_t chunk_stride = plan.parts() * plan.sums_size;
  for (int64_t c = 0; c < g.c; c += kLanes) {
    const int64_t part = k / kPartOut * plan.parts_in + c / kPartIn;
    const real* from = sums + part * plan.sums_size + k % kPartOut * plan.sum_row + c % kPartIn;
    winograd::in_two_dimensions<typename Algorithm::Down::FilterGradient, Along>(
        [&](int i, int j) {
          const real* at = from + (i * Along::kFrom + j) * plan.sum_matrix;
          Vector sum = load(at);
          for (int64_t chunk = 1; chunk < plan.chunks; ++chunk)
            sum = add(sum, load(at + chunk * chunk_stride));
          return sum;
        },
        [&](int r, int s, const Vector& value) {
          real* to = dweight + ((k * g.r + r) * g.s + s) * g.c + c;
          store_some(to, g.c - c, write == Write::add ? add(load_some(to, g.c - c), value) : value);
        });
  }
}

}  // namespace

bool uses_winograd_weight(const Conv2dGeometry& g, ConvolutionAlgorithm algorithm) {
  if (g.stride_h != g.stride_w || !winograd::is_defined(g.r, g.s, g.stride_h)) return false;
  // Measured: with stride 2, direct convolution is faster if less than five sixths of the tiles is used.
  // One-dimensional transforms cost less, but direct convolution skips the products with the padding.
  const double saving = g.stride_h == 2 ? 1.5 : g.r == 1 || g.s == 1 ? 1.7 : 2;
  return with_algorithm(
      g, [&](auto kind) { return winograd::chosen<decltype(kind)>(algorithm, saving, g.p, g.q, g.c, g.k); });
}

int64_t winograd_weight_workspace(const Conv2dGeometry& g, int threads) {
  return with_algorithm(g, [&](auto kind) {
    const Plan<decltype(kind)> plan(g);
    return plan.chunks * plan.parts() * plan.sums_size + threads * plan.scratch_size;
  });
}

template <class Input>
void winograd_weight_gradient(const Conv2dGeometry& g, const Threads& threads, const real* x,
                              const Input& input, const real* dy, real* workspace, real* dweight,
                              Write write) {
  with_algorithm(g, [&](auto kind) {
    const Plan<decltype(kind)> plan(g);
    real* scratch = workspace + plan.chunks * plan.parts() * plan.sums_size;
    parallel_for(threads, plan.chunks * plan.parts(), [&](int64_t task, int thread) {
      sum_chunk(g, plan, task / plan.parts(), task % plan.parts(), x, input, dy,
                scratch + thread * plan.scratch_size, workspace + task * plan.sums_size);
    });
    parallel_for(threads, g.k,
                 [&](int64_t k, int) { transform_sums(g, plan, k, workspace, dweight, write); });
  });
}

template void winograd_weight_gradient(const Conv2dGeometry&, const Threads&, const real*,
                                       const winograd::AsTheyAre&, const real*, real*, real*, Write);
template void winograd_weight_gradient(const Conv2dGeometry&, const Threads&, const real*,
                                       const winograd::Normalised&, const real*, real*, real*, Write);

}  // namespace crescendo::CRESCENDO_CPU
