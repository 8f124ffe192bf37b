// The weight gradient over the pixels of one ghost batch, for few input channels. The numbers under one
// row of taps are contiguous in x: one run of s * c elements. So there is one matrix product for each row
// r of taps:
//   sums[r][i][k] = sum over pixels of x[run under row r of the pixel's taps, i] * dy[pixel, k]
// The products read dy in its own layout. x is first copied with its zero borders, a few rows of target
// pixels at a time. The pixels are divided into chunks by the geometry alone. Each chunk has its own sums,
// which are then added in order and transposed.
#include "kernels/cpu/conv2d_weight_few.h"

#include <algorithm>

#include "kernels/cpu/matmul_tile.h"
#include "kernels/cpu/parallel.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// Longest run. With a longer one the sums would leave the first-level cache, and vectors of input channels
// (conv2d_weight.cpp) are faster.
constexpr int64_t kMostRun = 128;
// Target pixels of a block, and its rows at most. The gradients of a block stay in the second-level cache for
// all rows of taps.
constexpr int64_t kBlock = 1024, kMostRows = 64;
constexpr std::integral_constant<int64_t, 1> kEachElement{};  // stride within a run

// The division of the work, and the sizes of its buffers in elements.
struct Plan {
  int64_t run;          // elements under a row of taps
  int64_t rows, block;  // rows of target pixels: of the ghost batch, of the largest block
  int64_t chunks;
  int64_t row_sums, sums;    // sums of a row of taps, of a chunk
  int64_t strip_row, strip;  // a row of x with its borders, all such rows of a block

  explicit Plan(const Conv2dGeometry& g) : run(g.s * g.c), rows(g.ghost * g.p) {
    constexpr int64_t kMostTasks = 8, kChunkPixels = 1024;
    block = std::clamp<int64_t>(kBlock / g.q, 1, std::min<int64_t>(g.p, kMostRows));
    chunks = std::clamp<int64_t>(rows * g.q / kChunkPixels, 1, std::min(rows, kMostTasks));
    row_sums = run * g.k;
    sums = aligned(g.r * row_sums);
    strip_row = ((g.q - 1) * g.stride_w + g.s) * g.c;
    strip = aligned(((block - 1) * g.stride_h + g.r) * strip_row);
  }
};

// Copies rows [first, first + count) of an image of x with its borders. Elements outside the image are zero.
void copy_rows(const Conv2dGeometry& g, const Plan& plan, const real* image, int64_t first, int64_t count,
               real* strip) {
  const int64_t left = g.pad_left * g.c, row = g.w * g.c;
  const int64_t begin = std::min(left, plan.strip_row), inside = std::min(row, plan.strip_row - begin);
  for (int64_t h = first; h < first + count; ++h, strip += plan.strip_row) {
    const bool exists = h >= 0 && h < g.h;
    const int64_t copied = exists ? inside : 0;
    std::fill_n(strip, begin, real{0});
    std::copy_n(image + (exists ? h * row : 0), copied, strip + begin);
    std::fill(strip + begin + copied, strip + plan.strip_row, real{0});
  }
}

// Computes the sums over target rows [first, last). Rows are counted through all images.
void sum_chunk(const Conv2dGeometry& g, const Plan& plan, int64_t first, int64_t last, const real* x,
               const real* dy, real* strip, real* sums) {
  Write write = Write::overwrite;
  for (int64_t begin = first; begin < last;) {
    const int64_t image = begin / g.p, row = begin % g.p;
    const int64_t rows = std::min({plan.block, g.p - row, last - begin});
    copy_rows(g, plan, x + image * g.h * g.w * g.c, row * g.stride_h - g.pad_top,
              (rows - 1) * g.stride_h + g.r, strip);
    Prefetch nothing;
    for (int64_t r = 0; r < g.r; ++r) {
      Stretch stretches[kMostRows];
      for (int64_t i = 0; i < rows; ++i)
        stretches[i] = {(i * g.stride_h + r) * plan.strip_row, i * g.q * g.k, g.q};
      multiply_tiles(
          plan.run, g.k, Stretches(stretches, static_cast<size_t>(rows)), strip, kEachElement,
          g.stride_w * g.c, dy + begin * g.q * g.k, kTileWidth, [&](int64_t) { return g.k; },
          sums + r * plan.row_sums, g.k, write, nothing);
    }
    write = Write::add;
    begin += rows;
  }
}

// Computes dweight[k] (=|+=) the sums of all chunks, added in order.
void add_chunks(const Conv2dGeometry& g, const Plan& plan, int64_t k, const real* sums, real* dweight,
                Write write) {
  real* to = dweight + k * g.r * plan.run;
  for (int64_t i = 0; i < g.r * plan.run; ++i) {
    const real* from = sums + i * g.k + k;
    real sum = *from;
    for (int64_t chunk = 1; chunk < plan.chunks; ++chunk) sum += from[chunk * plan.sums];
    to[i] = write == Write::add ? to[i] + sum : sum;
  }
}

}  // namespace

bool uses_few_weight(const Conv2dGeometry& g) {
  return g.c % kLanes != 0 && g.k % kLanes == 0 && g.s * g.c <= kMostRun;
}

int64_t few_weight_workspace(const Conv2dGeometry& g, int threads) {
  if (g.ghost * g.p * g.q * g.k * g.c == 0) return 0;
  const Plan plan(g);
  return plan.chunks * plan.sums + threads * plan.strip;
}

void few_weight_gradient(const Conv2dGeometry& g, const Threads& threads, const real* x, const real* dy,
                         real* workspace, real* dweight, Write write) {
  const Plan plan(g);
  real* strips = workspace + plan.chunks * plan.sums;
  parallel_for(threads, plan.chunks, [&](int64_t chunk, int thread) {
    sum_chunk(g, plan, plan.rows * chunk / plan.chunks, plan.rows * (chunk + 1) / plan.chunks, x, dy,
              strips + thread * plan.strip, workspace + chunk * plan.sums);
  });
  parallel_for(threads, g.k, [&](int64_t k, int) { add_chunks(g, plan, k, workspace, dweight, write); });
}

}  // namespace crescendo::CRESCENDO_CPU
