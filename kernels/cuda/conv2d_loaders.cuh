// Loaders, which bring a convolution's operands into tiles of shared memory (matmul_tile.cuh): pixels as the
// taps of the filter meet them, and weights. Elements outside of a tensor are zero. All chunks of a thread
// are in one column of the tile, so a thread finds its tap and channel once.
#pragma once

#include "kernels/cuda/convolution_taps.h"
#include "kernels/cuda/input_norm.cuh"
#include "kernels/cuda/matmul_tile.cuh"

namespace crescendo::cuda {

// A thread's share of a tile.
template <class Tile, unsigned Threads>
struct Share {
  static constexpr int kOwn = Tile::kChunks / static_cast<int>(Threads);
  static constexpr int kRowsApart = static_cast<int>(Threads) / Tile::kRowChunks;
  static_assert(kOwn * static_cast<int>(Threads) == Tile::kChunks);

  static __device__ int column() { return static_cast<int>(threadIdx.x) % Tile::kRowChunks; }
  static __device__ int row(int i) {
    return static_cast<int>(threadIdx.x) / Tile::kRowChunks + i * kRowsApart;
  }
  static __device__ int place(int i) { return Tile::place(row(i), column()); }
};

// A thread's chunks in registers, on their way to be normalised.
template <class Share>
struct Held {
  Chunk chunks[Share::kOwn];
  unsigned inside = 0;  // one bit for each chunk
  int channel;          // the first of each chunk

  __device__ void take(int i, const bf16* from, bool is_inside) {
    inside = is_inside ? inside | 1U << i : inside & ~(1U << i);
    chunks[i] = is_inside ? load<kChunkValues>(from) : Chunk{};
  }
  __device__ void put(Chunk* tile, const NormTable& norm) const {
    for (int i = 0; i < Share::kOwn; ++i)
      tile[Share::place(i)] = (inside >> i & 1) != 0 ? norm.normalised(chunks[i], channel) : chunks[i];
  }
};

// a [pixels, taps x channels]: the source's pixels that the result's pixels [first,end) meet.
template <int Rows, unsigned Threads, bool Normalise>
class PixelRows {
 public:
  using Tile = OperandTile<Rows, true>;

  __device__ PixelRows(const Taps& taps, const bf16* source, int first, int end, const NormTable& norm)
      : taps_(taps), source_(source), norm_(norm) {
    for (int i = 0; i < Share::kOwn; ++i) {
      const int pixel = first + Share::row(i), in_image = pixel % taps.pixels();
      const int h = taps.h.source_of(in_image / taps.w.pixels);
      h_[i] = pixel < end ? h : kOutside;
      w_[i] = taps.w.source_of(in_image % taps.w.pixels);
      pixel_[i] = (pixel / taps.pixels() * taps.h.source + h) * taps.w.source + w_[i];
    }
    position_.advance(Share::column() * kChunkValues, taps);
  }

  __device__ void start(Chunk* tile) {
    const int down = position_.u * taps_.h.tap_step, across = position_.v * taps_.w.tap_step;
    for (int i = 0; i < Share::kOwn; ++i) {
      const int h = h_[i] + down, w = w_[i] + across;
      const bool inside =
          h >= 0 && h < taps_.h.source && w >= 0 && w < taps_.w.source && position_.u < taps_.h.taps;
      const int64_t pixel = pixel_[i] + down * taps_.w.source + across;
      const bf16* from = inside ? source_ + pixel * taps_.channels + position_.channel : source_;
      if constexpr (Normalise)
        held_.take(i, from, inside);
      else
        copy_async(tile + Share::place(i), from, !inside);
    }
    held_.channel = position_.channel;
    position_.advance(kStep, taps_);
  }
  __device__ void finish(Chunk* tile) const {
    if constexpr (Normalise) held_.put(tile, norm_);
  }

 private:
  using Share = cuda::Share<Tile, Threads>;
  static constexpr int kOutside = -(1 << 30);  // a row from which no tap leads back inside

  Taps taps_;
  const bf16* source_;
  NormTable norm_;
  int h_[Share::kOwn], w_[Share::kOwn], pixel_[Share::kOwn];  // source pixel of the first tap
  TapPosition position_;
  Held<Share> held_;
};

// b [sum, filters] from weight [filters,sum], for the forward pass: a filter's taps and channels have the
// same order in memory as in the sum.
template <int Columns, unsigned Threads>
class WeightRows {
 public:
  using Tile = OperandTile<Columns, true>;

  __device__ WeightRows(const Conv2dGeometry& g, const Taps& taps, const bf16* weight, int first)
      : weight_(weight),
        filters_(static_cast<int>(g.k)),
        sum_(taps.steps_of_sum()),
        first_(first),
        at_(Share::column() * kChunkValues) {}

  __device__ void start(Chunk* tile) {
    for (int i = 0; i < Share::kOwn; ++i) {
      const int filter = first_ + Share::row(i);
      const bool inside = filter < filters_ && at_ < sum_;
      copy_async(tile + Share::place(i),
                 inside ? weight_ + static_cast<int64_t>(filter) * sum_ + at_ : weight_, !inside);
    }
    at_ += kStep;
  }
  __device__ void finish(Chunk*) const {}

 private:
  using Share = cuda::Share<Tile, Threads>;

  const bf16* weight_;
  int filters_, sum_, first_, at_;
};

// b [taps x filters, channels] from weight [filters,r,s,channels], for the data gradient.
template <int Columns, unsigned Threads>
class WeightColumns {
 public:
  using Tile = OperandTile<Columns, false>;

  __device__ WeightColumns(const Conv2dGeometry& g, const Taps& taps, const bf16* weight, int first)
      : taps_(taps),
        weight_(weight),
        r_(static_cast<int>(g.r)),
        s_(static_cast<int>(g.s)),
        channels_(static_cast<int>(g.c)),
        channel_(first + Share::column() * kChunkValues) {
    for (int i = 0; i < Share::kOwn; ++i) position_[i].advance(Share::row(i), taps);
  }

  __device__ void start(Chunk* tile) {
    for (int i = 0; i < Share::kOwn; ++i) {
      TapPosition& at = position_[i];
      const bool inside = channel_ < channels_ && at.u < taps_.h.taps;
      const int r = taps_.h.filter_first + at.u * taps_.h.filter_step,
                s = taps_.w.filter_first + at.v * taps_.w.filter_step;
      const int64_t row = (static_cast<int64_t>(at.channel) * r_ + r) * s_ + s;
      copy_async(tile + Share::place(i), inside ? weight_ + row * channels_ + channel_ : weight_, !inside);
      at.advance(kStep, taps_);
    }
  }
  __device__ void finish(Chunk*) const {}

 private:
  using Share = cuda::Share<Tile, Threads>;

  Taps taps_;
  const bf16* weight_;
  int r_, s_, channels_, channel_;
  TapPosition position_[Share::kOwn];  // its channels are the filters: those of dy
};

// a [filters, pixels] from dy [pixels,filters], for pixels [first,end) of the weight gradient.
template <int Rows, unsigned Threads>
class GradientColumns {
 public:
  using Tile = OperandTile<Rows, false>;

  __device__ GradientColumns(const bf16* dy, int filters, int first_filter, int first, int end)
      : dy_(dy),
        filters_(filters),
        filter_(first_filter + Share::column() * kChunkValues),
        pixel_(first),
        end_(end) {}

  __device__ void start(Chunk* tile) {
    for (int i = 0; i < Share::kOwn; ++i) {
      const int pixel = pixel_ + Share::row(i);
      const bool inside = pixel < end_ && filter_ < filters_;
      copy_async(tile + Share::place(i),
                 inside ? dy_ + static_cast<int64_t>(pixel) * filters_ + filter_ : dy_, !inside);
    }
    pixel_ += kStep;
  }
  __device__ void finish(Chunk*) const {}

 private:
  using Share = cuda::Share<Tile, Threads>;

  const bf16* dy_;
  int filters_, filter_, pixel_, end_;
};

// b [pixels, taps x channels], for the weight gradient: the x that outputs [first,end) meet, columns from
// `first_column` on.
template <int Columns, unsigned Threads, bool Normalise>
class PixelColumns {
 public:
  using Tile = OperandTile<Columns, false>;

  __device__ PixelColumns(const Taps& taps, const bf16* x, int first_column, int first, int end,
                          const NormTable& norm)
      : taps_(taps), x_(x), pixel_(first), end_(end), norm_(norm) {
    TapPosition column;
    column.advance(first_column + Share::column() * kChunkValues, taps);
    down_ = column.u < taps.h.taps ? column.u : kOutside;
    across_ = column.v;
    held_.channel = column.channel;
    for (int i = 0; i < Share::kOwn; ++i) {
      const int pixel = first + Share::row(i), in_image = pixel % taps.pixels();
      image_[i] = pixel / taps.pixels();
      p_[i] = in_image / taps.w.pixels;
      q_[i] = in_image % taps.w.pixels;
    }
  }

  __device__ void start(Chunk* tile) {
    for (int i = 0; i < Share::kOwn; ++i) {
      const int h = taps_.h.source_of(p_[i]) + down_, w = taps_.w.source_of(q_[i]) + across_;
      const bool inside =
          h >= 0 && h < taps_.h.source && w >= 0 && w < taps_.w.source && pixel_ + Share::row(i) < end_;
      const int64_t pixel = (static_cast<int64_t>(image_[i]) * taps_.h.source + h) * taps_.w.source + w;
      const bf16* from = inside ? x_ + pixel * taps_.channels + held_.channel : x_;
      if constexpr (Normalise)
        held_.take(i, from, inside);
      else
        copy_async(tile + Share::place(i), from, !inside);
      advance(i);
    }
    pixel_ += kStep;
  }
  __device__ void finish(Chunk* tile) const {
    if constexpr (Normalise) held_.put(tile, norm_);
  }

 private:
  using Share = cuda::Share<Tile, Threads>;
  static constexpr int kOutside = -(1 << 30);

  __device__ void advance(int i) {
    q_[i] += kStep;
    while (q_[i] >= taps_.w.pixels) {
      q_[i] -= taps_.w.pixels;
      if (++p_[i] == taps_.h.pixels) {
        p_[i] = 0;
        ++image_[i];
      }
    }
  }

  Taps taps_;
  const bf16* x_;
  int pixel_, end_;
  int down_, across_;  // offset of the column's tap from the first tap
  NormTable norm_;
  int image_[Share::kOwn], p_[Share::kOwn], q_[Share::kOwn];
  Held<Share> held_;
};

}  // namespace crescendo::cuda
