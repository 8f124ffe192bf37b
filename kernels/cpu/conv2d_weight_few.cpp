// What lies under a row of taps is one run of x: `run` numbers, those of a few taps and channels. So
//   sums[r][i][k] = sum over the pixels of a ghost of x[run under row r of taps of the pixel, i] * dy[pixel,
//   k]
// is a matrix product for each row of taps, of which dy lies as it is and x needs but its zero borders: a few
// rows of target pixels at a time, it is copied with them. The pixels are cut into chunks by the geometry
// alone, with sums of their own, which are added in order and transposed.
#include "kernels/cpu/conv2d_weight_few.h"

#include <algorithm>

#include "kernels/cpu/matmul_tile.h"
#include "kernels/cpu/parallel.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// Longer runs' sums would leave the first-level cache; vectors of input channels do better there.
constexpr int64_t kMostRun = 128;
// Target pixels of a block: their gradients stay in the second-level cache for all rows of taps.
constexpr int64_t kBlock = 1024, kMostRows = 64;
constexpr std::integral_constant<int64_t, 1> kEachElement{};  // the stride of a run

struct Plan {
  int64_t run;          // elements under a row of taps
  int64_t rows, block;  // of target pixels: of the ghost, of a block at most
  int64_t chunks;
  int64_t row_sums, sums;    // elements: of a row of taps, of a chunk
  int64_t strip_row, strip;  // elements: of a row of x with its borders, of those of a block

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

// Rows [first, first + count) of an image of x, which may lie outside it, with zeros for what does.
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

// The sums of the target rows [first, last), counted from image to image.
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

// dweight[k] (=|+=) the chunks' sums, added in order.
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

void few_weight_gradient(const Conv2dGeometry& g, int threads, const real* x, const real* dy, real* workspace,
                         real* dweight, Write write) {
  const Plan plan(g);
  real* strips = workspace + plan.chunks * plan.sums;
  parallel_for(threads, plan.chunks, [&](int64_t chunk, int thread) {
    sum_chunk(g, plan, plan.rows * chunk / plan.chunks, plan.rows * (chunk + 1) / plan.chunks, x, dy,
              strips + thread * plan.strip, workspace + chunk * plan.sums);
  });
  parallel_for(threads, g.k, [&](int64_t k, int) { add_chunks(g, plan, k, workspace, dweight, write); });
}

}  // namespace crescendo::CRESCENDO_CPU
