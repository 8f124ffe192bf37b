// dweight[k, (r, s, c)] = sum over the pixels of a ghost of dy[pixel, k] * patch[pixel, (r, s, c)], patches
// as im2col.h has them: a matrix product whose inner dimension are the pixels.
//
// The pixels are cut into chunks and the output channels into parts, both by the geometry alone; a piece of
// work is a chunk and a part, with sums of its own, which a block of patches after another is added to. The
// chunks' sums are added in order.
#include "kernels/cpu/conv2d_weight.h"

#include "kernels/cpu/im2col.h"
#include "kernels/cpu/matmul_tile.h"
#include "kernels/cpu/parallel.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// Output channels of a part.
constexpr int64_t kPart = 128;
// Powers of two between patches would collide in the cache's sets.
constexpr int64_t kSkew = 16;

struct Plan {
  GatherConvolution gather;
  int64_t pixels, block;  // of the ghost; of a block of patches
  int64_t chunks, parts;
  int64_t columns, stride;  // of a patch; between patches
  int64_t sums_size;        // elements of a chunk's part

  explicit Plan(const Conv2dGeometry& g) : gather(gather_forward(g).convolution) {
    constexpr int64_t kMostTasks = 8, kChunkPixels = 1024, kCachedElements = 1 << 16;
    gather.images = g.ghost;
    pixels = g.ghost * g.p * g.q;
    parts = (g.k + kPart - 1) / kPart;
    chunks = std::clamp<int64_t>(pixels / kChunkPixels, 1, std::max<int64_t>(1, kMostTasks / parts));
    columns = gather.taps() * g.c;
    stride = padded_to_tiles(columns) + kSkew;
    block = std::clamp<int64_t>(kCachedElements / stride, 32, 256);
    sums_size = aligned(std::min(kPart, g.k) * stride);
  }
  int64_t scratch_size() const { return aligned(block * (stride + kPart)); }  // patches and dy of a block
};

void sum_chunk(const Conv2dGeometry& g, const Plan& plan, int64_t chunk, int64_t part, const real* x,
               const real* dy, real* scratch, real* sums) {
  const int64_t start = plan.pixels * chunk / plan.chunks, last = plan.pixels * (chunk + 1) / plan.chunks;
  const int64_t first = part * kPart, outputs = std::min(kPart, g.k - first);
  for (int64_t begin = start; begin < last; begin += plan.block) {
    const int64_t count = std::min(plan.block, last - begin);
    real* patches = scratch;
    real* gradients = scratch + plan.block * plan.stride;
    im2col(plan.gather, x, begin, count, plan.stride, patches);
    for (int64_t pixel = 0; pixel < count; ++pixel)
      std::copy_n(dy + (begin + pixel) * g.k + first, outputs, gradients + pixel * kPart);
    const int64_t next_end = std::min(last, begin + count + plan.block);
    Prefetch next =
        prefetch_im2col(plan.gather, x, begin + count, next_end, tile_count(outputs, plan.columns));
    multiply_tiles(
        outputs, plan.columns, count, gradients, std::integral_constant<int64_t, 1>(), kPart, patches,
        kTileWidth, [&](int64_t) { return plan.stride; }, sums, plan.stride,
        begin == start ? Write::overwrite : Write::add, next);
  }
}

// dweight[k] (=|+=) the chunks' sums, added in order.
void add_chunks(const Plan& plan, int64_t k, const real* sums, real* dweight, Write write) {
  const real* from = sums + k / kPart * plan.sums_size + k % kPart * plan.stride;
  real* to = dweight + k * plan.columns;
  for (int64_t i = 0; i < plan.columns; i += kLanes) {
    const int64_t lanes = plan.columns - i;
    Vector sum = load(from + i);
    for (int64_t chunk = 1; chunk < plan.chunks; ++chunk)
      sum = add(sum, load(from + chunk * plan.parts * plan.sums_size + i));
    store_some(to + i, lanes, write == Write::add ? add(load_some(to + i, lanes), sum) : sum);
  }
}

}  // namespace

int64_t weight_workspace(const Conv2dGeometry& g, int threads) {
  if (g.ghost * g.p * g.q * g.k * g.c == 0) return 0;
  const Plan plan(g);
  return plan.chunks * plan.parts * plan.sums_size + threads * plan.scratch_size();
}

void ghost_weight_gradient(const Conv2dGeometry& g, int threads, const real* x, const real* dy,
                           real* workspace, real* dweight, Write write) {
  const Plan plan(g);
  real* scratch = workspace + plan.chunks * plan.parts * plan.sums_size;
  parallel_for(threads, plan.chunks * plan.parts, [&](int64_t task, int thread) {
    sum_chunk(g, plan, task / plan.parts, task % plan.parts, x, dy, scratch + thread * plan.scratch_size(),
              workspace + task * plan.sums_size);
  });
  parallel_for(threads, g.k, [&](int64_t k, int) { add_chunks(plan, k, workspace, dweight, write); });
}

}  // namespace crescendo::CRESCENDO_CPU
