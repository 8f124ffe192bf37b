// The weight gradient over the pixels of one ghost batch, computed directly:
//   dweight[k, r, s, c] = sum over pixels of dy[pixel, k] * x[pixel under tap (r, s), c]
// This is one matrix product for each tap, and its inner dimension is the pixels. They are taken in blocks.
// The products read x in its own layout: a row of target pixels corresponds to a stretch of equally distant
// pixels of x, without the pixels that the tap moves out of the image. With strides, or if channels do not
// fill whole vectors, the pixels under the taps are first copied side by side into patches.
//
// The pixels are divided into chunks and the output channels into parts, both by the geometry alone. Each
// pair of a chunk and a part has its own sums, to which block after block is added. The sums of the chunks
// are then added in order.
#include "kernels/cpu/conv2d_weight.h"

#include "kernels/cpu/gather_convolution.h"
#include "kernels/cpu/matmul_tile.h"
#include "kernels/cpu/parallel.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// Largest number of output channels in a part, and the smallest when parts are divided to get more tasks.
constexpr int64_t kPart = 256, kLeastPart = 64;
// Pixels of a block. The number is large because each block passes the sums through the cache once.
constexpr int64_t kBlock = 256;
// Largest number of input channels taken together. A block of this many stays in the second-level cache.
constexpr int64_t kBand = 512;
// Padding between rows. Rows a power of two apart would map to the same sets of the cache.
constexpr int64_t kSkew = 16;
constexpr std::integral_constant<int64_t, 1> kEachOutput{};  // stride between dy's channels

// A range of taps and input channels. Its sums stay in the second-level cache while the blocks pass.
struct Piece {
  int64_t first_tap, last_tap;
  int64_t first, last;  // input channels

  int64_t channels() const { return last - first; }
  int64_t columns() const { return (last_tap - first_tap) * channels(); }
};

// The division of the work, and the sizes of its buffers.
struct Plan {
  GatherConvolution gather;
  int64_t pixels;                 // of the ghost batch
  int64_t columns, stride;        // elements of dweight[k]; stride between the sums of output channels
  int64_t bands, groups, pieces;  // ranges of input channels; ranges of taps; pairs of the two
  int64_t chunks, parts, part;    // chunks of pixels; parts of the outputs; outputs in a part
  int64_t sums_size;              // elements of the sums of one chunk and part
  bool gathered;                  // x is copied into patches
  int64_t patch_stride = 0;
  int64_t block;  // pixels

  explicit Plan(const Conv2dGeometry& g) : gather(gather_forward(g).convolution) {
    gather.images = g.ghost;
    pixels = g.ghost * g.p * g.q;
    columns = gather.taps() * g.c;
    bands = g.c % kLanes != 0 ? 1 : (g.c + kBand - 1) / kBand;
    groups = g.c % kLanes != 0 ? 1 : std::min(gather.taps(), (columns + kBand - 1) / kBand);
    pieces = bands * groups;
    cut(g.k);
    stride = padded_to_tiles(columns) + kSkew;
    sums_size = aligned(part * stride);
    gathered = g.c % kLanes != 0 || g.stride_w > 1;
    block = kBlock;
    if (!gathered) return;
    int64_t widest = 0;
    for (int64_t i = 0; i < pieces; ++i) widest = std::max(widest, piece(i).columns());
    patch_stride = padded_to_tiles(widest) + kSkew;
    block = std::clamp<int64_t>(kBlock * kBand / patch_stride, 32, kBlock);
  }
  // Chooses the chunks and the parts. A task is one chunk, one part and one piece. There are a few tasks of
  // about equal size, and an even number of them, so that threads are seldom idle at the end.
  void cut(int64_t outputs) {
    constexpr int64_t kMostTasks = 16, kLeastTasks = 4, kChunkPixels = 1024;
    parts = (outputs + kPart - 1) / kPart;
    chunks =
        std::clamp<int64_t>(pixels / kChunkPixels, 1, std::max<int64_t>(1, kMostTasks / (parts * pieces)));
    if (chunks > 1 && chunks * parts * pieces % 2 != 0) --chunks;
    const auto tasks = [&] { return chunks * parts * pieces; };
    while ((tasks() < kLeastTasks || (tasks() < kMostTasks && tasks() % 2 != 0)) &&
           outputs / (parts + 1) >= kLeastPart)
      ++parts;
    part = aligned((outputs + parts - 1) / parts);
    parts = (outputs + part - 1) / part;
  }
  int64_t copied() const { return part + kSkew; }  // elements of a pixel's copied gradients
  int64_t scratch_size() const { return aligned(block * (patch_stride + copied())); }

  // Returns a piece. All pieces are of about equal size.
  Piece piece(int64_t index) const {
    const int64_t group = index / bands, index_of_band = index % bands, taps = gather.taps();
    const int64_t band = bands == 1 ? gather.in : aligned((gather.in + bands - 1) / bands);
    return {taps * group / groups, taps * (group + 1) / groups, index_of_band * band,
            std::min(gather.in, (index_of_band + 1) * band)};
  }
};

// Finds the target pixels in [begin, end) that a tap leaves inside the image, and returns the number of
// stretches. In each stretch, `a` is an offset into dy from pixel `begin` on, with pixels `distance` apart,
// and `b` is an offset into x.
size_t find_stretches(const GatherConvolution& d, int64_t distance, int64_t tap, int64_t begin, int64_t end,
                      Stretch (&stretches)[kBlock]) {
  const int64_t r = tap / d.taps_w, s = tap % d.taps_w;
  const int64_t first_column = d.first_column + s;
  const int64_t left = std::max<int64_t>(0, (-first_column + d.step_w - 1) / d.step_w),
                right = first_column < d.w ? (d.w - 1 - first_column) / d.step_w + 1 : 0;
  size_t count = 0;
  for (int64_t row = begin / d.columns; row * d.columns < end; ++row) {
    const int64_t source = row % d.rows * d.step_h + d.first_row + r;
    const int64_t from = std::max(row * d.columns + left, begin),
                  to = std::min(row * d.columns + std::min(right, d.columns), end);
    if (source < 0 || source >= d.h || from >= to) continue;
    const int64_t column = from % d.columns * d.step_w + first_column;
    const Stretch next{(from - begin) * distance, ((row / d.rows * d.h + source) * d.w + column) * d.in,
                       to - from};
    if (count > 0) {
      Stretch& last = stretches[count - 1];
      const bool goes_on =
          next.a == last.a + last.depth * distance && next.b == last.b + last.depth * d.step_w * d.in;
      if (goes_on) {
        last.depth += next.depth;
        continue;
      }
    }
    stretches[count++] = next;
  }
  return count;
}

// Copies the pixels of the stretches, which are `stride` apart in x, into patches, which are patch_stride
// apart. Each of the `pixels` patches belongs to one gradient of the block; patches without a pixel of x
// become zero. `distance` has the meaning that it has in find_stretches.
void gather_pixels(Stretches stretches, int64_t distance, const real* from, int64_t stride, int64_t channels,
                   int64_t pixels, int64_t patch_stride, real* patches) {
  int64_t done = 0;
  const auto fill_until = [&](int64_t end) {
    for (; done < end; ++done) std::fill_n(patches + done * patch_stride, channels, real{0});
  };
  for (const Stretch& stretch : stretches) {
    fill_until(stretch.a / distance);
    for (int64_t i = 0; i < stretch.depth; ++i, ++done)
      std::copy_n(from + stretch.b + i * stride, channels, patches + done * patch_stride);
  }
  fill_until(pixels);
}

// Returns a prefetch of the pixels of x under the taps of target pixels [begin, end).
Prefetch prefetch_pixels(const GatherConvolution& d, const real* x, int64_t begin, int64_t end,
                         int64_t steps) {
  if (begin >= end) return {};
  const auto row = [&](int64_t pixel, int64_t tap) {
    const int64_t image = pixel / d.pixels(), i = pixel % d.pixels() / d.columns;
    const int64_t rows = image * d.h + std::clamp<int64_t>(i * d.step_h + d.first_row + tap, 0, d.h);
    return x + rows * d.w * d.in;
  };
  return {row(begin, 0), row(end - 1, d.taps_h), steps};
}

// The operands and the sums of one task.
struct Task {
  int64_t first_pixel, last_pixel;
  int64_t first_output, outputs;
  const real *x, *dy;
  real *gradients, *patches;  // scratch for one block: [pixel][copied()], [pixel][patch_stride]
  real* sums;
};

// Computes the sums of one piece over the pixels of a task.
void sum_piece(const Plan& plan, const Task& task, const Piece& piece) {
  const GatherConvolution& d = plan.gather;
  const int64_t first = task.first_pixel, last = task.last_pixel, channels = piece.channels();
  const int64_t columns = piece.columns();
  const real* x = task.x + piece.first;
  // If the part has only some of the outputs, their gradients are copied side by side.
  const bool whole_pixels = task.outputs == d.out;
  const int64_t distance = whole_pixels ? d.out : plan.copied();
  for (int64_t begin = first; begin < last; begin += plan.block) {
    const int64_t end = std::min(begin + plan.block, last), pixels = end - begin;
    for (int64_t pixel = 0; pixel < pixels && !whole_pixels; ++pixel)
      std::copy_n(task.dy + (begin + pixel) * d.out + task.first_output, task.outputs,
                  task.gradients + pixel * distance);
    Prefetch next =
        prefetch_pixels(d, task.x, end, std::min(end + plan.block, last), tile_count(task.outputs, columns));
    const auto multiply = [&](Stretches stretches, int64_t width, const real* from, int64_t stride,
                              int64_t tap) {
      multiply_tiles(
          task.outputs, width, stretches, whole_pixels ? task.dy + begin * d.out : task.gradients,
          kEachOutput, distance, from, kTileWidth, [&](int64_t) { return stride; },
          task.sums + tap * d.in + piece.first, plan.stride, begin == first ? Write::overwrite : Write::add,
          next);
    };
    for (int64_t tap = piece.first_tap; tap < piece.last_tap; ++tap) {
      Stretch found[kBlock];
      const Stretches stretches(found, find_stretches(d, distance, tap, begin, end, found));
      if (plan.gathered)
        gather_pixels(stretches, distance, x, d.step_w * d.in, channels, pixels, plan.patch_stride,
                      task.patches + (tap - piece.first_tap) * channels);
      else
        multiply(stretches, channels, x, d.in, tap);
    }
    if (!plan.gathered) continue;
    const Stretch all{0, 0, pixels};
    multiply(Stretches(&all, 1), columns, task.patches, plan.patch_stride, piece.first_tap);
  }
}

// Computes dweight[k] (=|+=) the sums of all chunks, added in order.
void add_chunks(const Plan& plan, int64_t k, const real* sums, real* dweight, Write write) {
  const real* from = sums + k / plan.part * plan.sums_size + k % plan.part * plan.stride;
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

void ghost_weight_gradient(const Conv2dGeometry& g, const Threads& threads, const real* x, const real* dy,
                           real* workspace, real* dweight, Write write) {
  const Plan plan(g);
  real* scratch = workspace + plan.chunks * plan.parts * plan.sums_size;
  parallel_for(threads, plan.chunks * plan.parts * plan.pieces, [&](int64_t index, int thread) {
    const int64_t sums = index / plan.pieces, chunk = sums / plan.parts,
                  first = sums % plan.parts * plan.part;
    real* gradients = scratch + thread * plan.scratch_size();
    const Task task{.first_pixel = plan.pixels * chunk / plan.chunks,
                    .last_pixel = plan.pixels * (chunk + 1) / plan.chunks,
                    .first_output = first,
                    .outputs = std::min(plan.part, g.k - first),
                    .x = x,
                    .dy = dy,
                    .gradients = gradients,
                    .patches = gradients + plan.block * plan.copied(),
                    .sums = workspace + sums * plan.sums_size};
    sum_piece(plan, task, plan.piece(index % plan.pieces));
  });
  parallel_for(threads, g.k, [&](int64_t k, int) { add_chunks(plan, k, workspace, dweight, write); });
}

}  // namespace crescendo::CRESCENDO_CPU
