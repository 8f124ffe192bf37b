// Direct convolution as matrix products. For each block of target pixels, the left operand is the source
// pixels under their taps, and the right operand is the packed weights, one tile of kTileWidth output
// channels at a time. The source pixels of a block are first copied side by side, with their zero borders,
// into a strip that stays in the second-level cache. The pixels under a target pixel are then one stretch of
// the strip for each row of taps.
// Each output is one chain of multiply-adds over taps and channels, whatever the block.
#include "kernels/cpu/conv2d_direct.h"

#include <algorithm>
#include <vector>

#include "kernels/cpu/matmul_tile.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/stream.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

constexpr int64_t kBlockPixels = 16 * kTileRows;
// Pixels 4 KiB apart map to the same set of the first-level cache. A source with such pixels is always copied
// into a strip, and a strip gets padding between pixels of more than half as many channels.
constexpr int64_t kColliding = 4096 / sizeof(real);
// Largest number of stretches in one call of multiply_tile.
constexpr int64_t kMostStretches = 64;
// Number of neighbouring pixels that share a pointer in multiply_tile.
constexpr int kShared = 2;

// One axis of a strip: the source pixels under the taps of a range of target pixels.
struct Axis {
  int64_t taps, step, first;
  int64_t distance;  // between target pixels in the strip; pixels that no tap reaches are not copied

  Axis(int64_t taps_, int64_t step_, int64_t first_)
      : taps(taps_), step(step_), first(first_), distance(std::min(taps_, step_)) {}
  int64_t length(int64_t targets) const { return (targets - 1) * distance + taps; }
  // Returns the source pixel at a position of the strip that begins with target pixel `target`.
  int64_t source(int64_t target, int64_t place) const {
    const int64_t offset = distance < step && taps > 0 ? place / taps * step + place % taps : place;
    return target * step + first + offset;
  }
};

// Returns true if all target pixels are equally far apart, across rows and images too.
bool is_one_row(const GatherConvolution& d) {
  return d.target_row == d.columns * d.target_pixel && d.target_image == d.rows * d.target_row;
}

// Returns true if each target pixel gathers only the source pixel at its own row and column.
bool is_pointwise(const GatherConvolution& d) {
  return d.taps() == 1 && d.step_h == 1 && d.step_w == 1 && d.first_row == 0 && d.first_column == 0 &&
         d.rows <= d.h && d.columns <= d.w;
}

// Returns the convolution with all pixels of all images in a single row, if that gives equal results.
// Otherwise returns the convolution unchanged.
GatherConvolution flattened(GatherConvolution d) {
  if (!is_pointwise(d) || d.rows < d.h || d.columns < d.w || !is_one_row(d)) return d;
  d.w = d.columns = d.images * d.pixels();
  d.images = d.h = d.rows = 1;
  d.target_row = d.target_image = d.columns * d.target_pixel;
  return d;
}

// Returns the number of products in one output.
int64_t depth_of(const GatherConvolution& d) { return d.taps() * d.in; }

// The division of the target pixels into blocks. A block is several images, several rows of one image, or a
// piece of a row.
struct Plan {
  Axis vertical, horizontal;
  int64_t images, rows, columns;      // size of the largest block
  int64_t row_blocks, column_blocks;  // blocks along the rows of an image, along the pixels of a row
  bool as_it_is;                      // the source itself serves as the strip, without a copy
  int64_t pixel, row, image;          // strides of the strip in elements

  Plan(const GatherConvolution& d, int64_t most_pixels)
      : vertical(d.taps_h, d.step_h, d.first_row), horizontal(d.taps_w, d.step_w, d.first_column) {
    const auto parts = [](int64_t size, int64_t most) {
      return std::max<int64_t>(1, (size + most - 1) / most);
    };
    column_blocks = parts(d.columns, most_pixels);
    columns = parts(d.columns, column_blocks);
    row_blocks = parts(d.rows, std::max<int64_t>(1, most_pixels / columns));
    rows = parts(d.rows, row_blocks);
    images = std::clamp<int64_t>(most_pixels / std::max<int64_t>(1, d.pixels()), 1,
                                 std::max<int64_t>(1, d.images));
    as_it_is = is_pointwise(d) && d.in % kColliding != 0;
    pixel = as_it_is || d.in <= kColliding / 2 ? d.in : aligned(d.in) + 16;
    row = as_it_is ? d.w * pixel : horizontal.length(columns) * pixel;
    image = as_it_is ? d.h * row : vertical.length(rows) * row;
  }
  int64_t blocks(const GatherConvolution& d) const {
    return (d.images + images - 1) / images * row_blocks * column_blocks;
  }
  int64_t pixels() const { return images * rows * columns; }  // of the largest block
};

// A block of target pixels: images [image, image + images), and rows and columns likewise.
struct Block {
  int64_t image, images, row, rows, column, columns;

  Block(const GatherConvolution& d, const Plan& plan, int64_t index) {
    const int64_t across = index % plan.column_blocks, down = index / plan.column_blocks % plan.row_blocks;
    image = index / plan.column_blocks / plan.row_blocks * plan.images;
    images = std::min(plan.images, d.images - image);
    row = d.rows * down / plan.row_blocks;
    rows = d.rows * (down + 1) / plan.row_blocks - row;
    column = d.columns * across / plan.column_blocks;
    columns = d.columns * (across + 1) / plan.column_blocks - column;
  }
  int64_t pixels() const { return images * rows * columns; }
};

// Copies the source pixels of a block into the strip, with zeros outside the source's borders.
void copy_strip(const GatherConvolution& d, const Plan& plan, const Block& block, const real* source,
                real* strip) {
  const Axis &vertical = plan.vertical, &horizontal = plan.horizontal;
  const int64_t height = vertical.length(block.rows), width = horizontal.length(block.columns);
  const bool whole_runs = horizontal.distance == horizontal.step && plan.pixel == d.in;
  for (int64_t n = 0; n < block.images; ++n)
    for (int64_t i = 0; i < height; ++i) {
      real* to = strip + n * plan.image + i * plan.row;
      const int64_t h = vertical.source(block.row, i);
      if (h < 0 || h >= d.h) {
        std::fill_n(to, width * plan.pixel, real{0});
        continue;
      }
      const real* from = source + ((block.image + n) * d.h + h) * d.w * d.in;
      const int64_t first = horizontal.source(block.column, 0);
      if (whole_runs) {
        const int64_t left = std::clamp<int64_t>(-first, 0, width),
                      right = std::clamp<int64_t>(d.w - first, left, width);
        std::fill_n(to, left * d.in, real{0});
        std::copy(from + (first + left) * d.in, from + (first + right) * d.in, to + left * d.in);
        std::fill(to + right * d.in, to + width * d.in, real{0});
        continue;
      }
      for (int64_t j = 0; j < width; ++j, to += plan.pixel) {
        const int64_t w = horizontal.source(block.column, j);
        if (w >= 0 && w < d.w)
          std::copy_n(from + w * d.in, d.in, to);
        else
          std::fill_n(to, d.in, real{0});
      }
    }
}

// Returns a prefetch of the source pixels of block `index`; an empty one beyond the last block.
Prefetch prefetch_strip(const GatherConvolution& d, const Plan& plan, int64_t index, const real* source) {
  if (index >= plan.blocks(d)) return {};
  const Block block(d, plan, index);
  const int64_t steps = tile_count(block.pixels(), d.out);
  const auto pixel = [&](int64_t image, int64_t i, int64_t j) {
    const int64_t h = std::clamp<int64_t>(plan.vertical.source(block.row, i), 0, d.h - 1);
    const int64_t w = std::clamp<int64_t>(plan.horizontal.source(block.column, j), 0, d.w - 1);
    return source + ((image * d.h + h) * d.w + w) * d.in;
  };
  return {pixel(block.image, 0, 0),
          pixel(block.image + block.images - 1, plan.vertical.length(block.rows) - 1,
                plan.horizontal.length(block.columns) - 1),
          steps};
}

// The left operand of a block's products, as pointers into the strip, with the offsets of the target pixels.
// kShared neighbours in a row share a pointer; the last pointer of a row may serve fewer.
struct Left {
  const real* rows[kBlockPixels];
  int64_t targets[kBlockPixels];     // offset of each pointer's first target pixel
  int64_t firsts[kBlockPixels + 1];  // number of pixels before each pointer's first
  int64_t count = 0;

  Left(const GatherConvolution& d, const Plan& plan, const Block& block, const real* strip) {
    firsts[0] = 0;
    for (int64_t n = 0; n < block.images; ++n)
      for (int64_t i = 0; i < block.rows; ++i)
        for (int64_t j = 0; j < block.columns; j += kShared) {
          rows[count] = strip + n * plan.image + i * plan.vertical.distance * plan.row +
                        j * plan.horizontal.distance * plan.pixel;
          targets[count] = (block.image + n) * d.target_image + (block.row + i) * d.target_row +
                           (block.column + j) * d.target_pixel;
          firsts[count + 1] = firsts[count] + std::min<int64_t>(kShared, block.columns - j);
          ++count;
        }
  }
  // Returns the end of the tile of pointers that begins at `first`. Tiles are of about equal size. A pointer
  // that serves fewer than kShared pixels ends its tile.
  int64_t tile_end(int64_t first) const {
    const int64_t rest = firsts[count] - firsts[first], tiles = (rest + kTileRows - 1) / kTileRows;
    int64_t end = first;
    do {
      ++end;
    } while (end < count && firsts[end] - firsts[end - 1] == kShared &&
             firsts[end + 1] - firsts[first] <= kTileRows && (firsts[end] - firsts[first]) * tiles < rest);
    return end;
  }
};

// The destination of the results, and the epilogue that is applied before they are stored.
struct Target {
  real* pixels;
  Epilogue epilogue;
  Write write;
  bool past_cache;
  bool in_place;  // sums may be accumulated in the destination itself
};

// The epilogue's constants for one tile of output channels, which begins at `first`.
struct TileEpilogue {
  Epilogue::Lanes lanes[kTileVectors];

  TileEpilogue(const Epilogue& epilogue, int64_t first, int64_t channels) {
    if (epilogue.constants == nullptr) return;
    for (int64_t v = 0; v < channels; v += kLanes) lanes[v / kLanes] = epilogue.at(first + v, channels - v);
  }
};

// Computes sums [Rows, kWidth] (=|+=) the product of Rows rows of the left operand and the weights of one
// tile of output channels.
template <int Rows, int Vectors>
void multiply(const GatherConvolution& d, const Plan& plan, const real* const* rows, const real* packed,
              real* sums, int64_t stride, Write write) {
  // A stretch covers one row of taps, or one tap if the strip has padding between its pixels.
  constexpr int64_t kWidth = Vectors * kLanes;
  const bool by_row = plan.pixel == d.in;
  const int64_t pieces = by_row ? d.taps_h : d.taps(), depth = by_row ? d.taps_w * d.in : d.in;
  for (int64_t piece = 0; piece == 0 || piece < pieces; piece += kMostStretches, write = Write::add) {
    Stretch stretches[kMostStretches];
    const int64_t found = depth == 0 ? 0 : std::min(kMostStretches, pieces - piece);
    for (int64_t i = 0; i < found; ++i) {
      const int64_t at = piece + i;
      stretches[i] = {by_row ? at * plan.row : at / d.taps_w * plan.row + at % d.taps_w * plan.pixel,
                      at * depth * kWidth, depth};
    }
    multiply_tile<Rows, Vectors, kShared>(Stretches(stretches, static_cast<size_t>(found)), rows,
                                          plan.horizontal.distance * plan.pixel, 1, packed, kWidth, sums,
                                          stride, write);
  }
}

// Applies the epilogue to sums [pixel][kTileWidth] and stores the results. The pixels are those of pointers
// [begin, end); the output channels begin at `first`.
void write_tile(const GatherConvolution& d, const Left& left, int64_t begin, int64_t end, int64_t first,
                const real* sums, const Target& target, const TileEpilogue& finish) {
  const int64_t channels = std::min<int64_t>(kTileWidth, d.out - first);
  const Epilogue& epilogue = target.epilogue;
  const auto each_pixel = [&](int64_t v, const auto& value) {
    const int64_t lanes = channels - v;
    const real* sum = sums + v;
    for (int64_t pointer = begin; pointer < end; ++pointer)
      for (int64_t pixel = 0; pixel < left.firsts[pointer + 1] - left.firsts[pointer]; ++pixel) {
        const int64_t place = left.targets[pointer] + pixel * d.target_pixel + first + v;
        const Vector result = value(load(sum), place, lanes);
        if (target.past_cache)
          stream(target.pixels + place, result);
        else
          store_some(target.pixels + place, lanes, result);
        sum += kTileWidth;
      }
  };
  for (int64_t v = 0; v < channels; v += kLanes) {
    if (epilogue.constants == nullptr) {
      each_pixel(v, [&](const Vector& sum, int64_t place, int64_t lanes) {
        return target.write == Write::add ? add(load_some(target.pixels + place, lanes), sum) : sum;
      });
      continue;
    }
    const Epilogue::Lanes finished = finish.lanes[v / kLanes];  // a copy stays in registers
    each_pixel(v, [&](const Vector& sum, int64_t place, int64_t lanes) {
      return epilogue.residual == nullptr ? finished(sum)
                                          : finished(sum, load_some(epilogue.residual + place, lanes));
    });
  }
}

// Prefetches channels [first, last) of the target pixels of pointers [begin, end). `pixels` is the target
// or an image with the target's layout.
// The processor does not predict these accesses, which are short and far apart.
void prefetch_pixels(const GatherConvolution& d, const Left& left, int64_t begin, int64_t end, int64_t first,
                     int64_t last, const real* pixels) {
  constexpr int64_t kLine = 64 / sizeof(real);
  for (int64_t pointer = begin; pointer < end; ++pointer)
    for (int64_t pixel = 0; pixel < left.firsts[pointer + 1] - left.firsts[pointer]; ++pixel) {
      const real* row = pixels + left.targets[pointer] + pixel * d.target_pixel;
      for (int64_t channel = first; channel < last; channel += kLine) __builtin_prefetch(row + channel);
    }
}

// Computes one tile of output channels, which begins at `first`, for all target pixels of a block.
void multiply_block(const GatherConvolution& d, const Plan& plan, const Left& left, const real* packed,
                    int64_t first, const Target& target, Prefetch& next) {
  const int64_t width = tile_width(d.out, first / kTileWidth);
  const bool in_place = target.in_place && first + width <= d.out;
  alignas(64) real sums[kTileRows * kTileWidth];
  const int64_t last = std::min(first + width, d.out);
  const TileEpilogue finish(target.epilogue, first, last - first);
  with_vectors(width, [&](auto vectors) {
    for (int64_t begin = 0; begin < left.count;) {
      const int64_t end = left.tile_end(begin);
      next.step();
      if (target.epilogue.residual != nullptr)
        prefetch_pixels(d, left, begin, end, first, last, target.epilogue.residual);
      else if (target.write == Write::add && end < left.count)
        prefetch_pixels(d, left, end, left.tile_end(end), first, last, target.pixels);
      with_rows(left.firsts[end] - left.firsts[begin], [&](auto rows) {
        if (in_place)
          multiply<rows(), vectors()>(d, plan, left.rows + begin, packed,
                                      target.pixels + left.targets[begin] + first, d.target_pixel,
                                      target.write);
        else
          multiply<rows(), vectors()>(d, plan, left.rows + begin, packed, sums, kTileWidth, Write::overwrite);
      });
      if (!in_place) write_tile(d, left, begin, end, first, sums, target, finish);
      begin = end;
    }
  });
}

// Returns the number of elements of the strip.
int64_t strip_size(const Plan& plan) { return plan.as_it_is ? 0 : plan.images * plan.image; }

// Returns the number of target pixels in a block: few enough that the strip takes at most a quarter of the
// second-level cache, or at most half if the source serves as the strip.
int64_t block_pixels(const GatherConvolution& d) {
  constexpr int64_t kCachedElements = 1 << 16;
  const auto fits = [&](int64_t pixels) {
    const Plan plan(d, pixels);
    return plan.as_it_is ? pixels * d.in <= 2 * kCachedElements : strip_size(plan) <= kCachedElements;
  };
  int64_t pixels = kBlockPixels;
  while (pixels > kTileRows && !fits(pixels)) pixels /= 2;
  return pixels;
}

// Returns the number of target pixels in a block: at most block_pixels, and few enough that every thread gets
// several blocks. If blocks may end at any pixel, all threads get equally many blocks.
int64_t shared_pixels(const GatherConvolution& d, int64_t threads) {
  const int64_t all = d.images * d.pixels(), most = block_pixels(d);
  const int64_t pixels = std::clamp<int64_t>(all / (4 * threads), std::min<int64_t>(kTileRows, most), most);
  if (d.images * d.rows > 1) return pixels;
  const int64_t rounds = (all + threads * pixels - 1) / (threads * pixels);
  return (all + threads * rounds - 1) / (threads * rounds);
}

// One of the convolutions of a call, in blocks of `pixels` target pixels.
struct Part {
  GatherConvolution d;
  Plan plan;
  const real* source;
  const real* packed;
  Target target;

  Part(const DirectConvolution& part, int64_t pixels, std::span<const DirectConvolution> all)
      : d(flattened(part.convolution)),
        plan(d, pixels),
        source(part.source),
        packed(part.packed),
        target{part.target, part.epilogue, part.write, false, false} {
    const bool shared = all.size() > 1 && all[0].target == all[1].target;
    target.past_cache = !shared && goes_past_cache(d, part.epilogue, part.target, part.write);
    target.in_place = !target.past_cache && part.epilogue.constants == nullptr && is_one_row(d);
  }
};

}  // namespace

int64_t packed_size(const GatherConvolution& d) { return aligned(depth_of(d) * padded_to_tiles(d.out)); }

int64_t direct_scratch_size(const GatherConvolution& convolution) {
  const GatherConvolution d = flattened(convolution);
  const Plan plan(d, block_pixels(d));
  return aligned(strip_size(plan));
}

void run_direct(std::span<const DirectConvolution> parts, const Threads& threads, real* scratch) {
  int64_t pixels = kBlockPixels, scratch_size = 0;
  for (const DirectConvolution& part : parts) {
    pixels = std::min(pixels, shared_pixels(flattened(part.convolution), threads.count()));
    scratch_size = std::max(scratch_size, direct_scratch_size(part.convolution));
  }
  std::vector<Part> all;
  for (const DirectConvolution& part : parts) all.emplace_back(part, pixels, parts);
  parallel_for(threads, all[0].plan.blocks(all[0].d), [&](int64_t index, int thread) {
    real* strip = scratch + thread * scratch_size;
    const real* fetched = nullptr;
    for (const auto& [d, plan, source, packed, target] : all) {
      const Block block(d, plan, index);
      if (!plan.as_it_is) copy_strip(d, plan, block, source, strip);
      const Left left(
          d, plan, block,
          plan.as_it_is ? source + ((block.image * d.h + block.row) * d.w + block.column) * d.in : strip);
      Prefetch next = source == fetched ? Prefetch() : prefetch_strip(d, plan, index + 1, source);
      fetched = source;
      for (int64_t first = 0; first < d.out; first += kTileWidth)
        multiply_block(d, plan, left, packed + first * depth_of(d), first, target, next);
    }
    end_streaming();
  });
}

}  // namespace crescendo::CRESCENDO_CPU
