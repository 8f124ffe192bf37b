// Forward and backward data, both as the same convolution: backward, every input pixel gathers the outputs it
// went into. With strides those differ from pixel to pixel: pixels of one phase (h mod stride_h, w mod
// stride_w) share them.
#include "kernels/cpu/conv2d_direct.h"
#include "kernels/cpu/conv2d_weight.h"
#include "kernels/cpu/conv2d_winograd.h"
#include "kernels/cpu/conv2d_winograd_weight.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/simd.h"

namespace crescendo {

namespace {

// A 1x1 filter does not see where one image ends: all pixels are one long row, and a linear layer is the
// same.
Conv2dGeometry flattened(Conv2dGeometry g) {
  const bool pointwise = g.r == 1 && g.s == 1 && g.stride_h == 1 && g.stride_w == 1 && g.p == g.h &&
                         g.q == g.w && g.pad_top == 0 && g.pad_left == 0;
  if (!pointwise) return g;
  g.w = g.q = g.n * g.h * g.w;
  g.n = g.h = g.p = 1;
  return g;
}

GatherConvolution forward_of(const Conv2dGeometry& g) {
  return {.images = g.n,
          .h = g.h,
          .w = g.w,
          .in = g.c,
          .rows = g.p,
          .columns = g.q,
          .out = g.k,
          .taps_h = g.r,
          .taps_w = g.s,
          .step_h = g.stride_h,
          .step_w = g.stride_w,
          .first_row = -g.pad_top,
          .first_column = -g.pad_left,
          .target_image = g.p * g.q * g.k,
          .target_row = g.q * g.k,
          .target_pixel = g.k};
}

// The inputs phase + i * stride along one axis. Input h went into output p by tap r where h + pad = p *
// stride + r, so the taps are first_tap, first_tap + stride, ...; the last of them meets the earliest output.
struct Phase {
  int64_t count;         // of inputs
  int64_t first_tap;     // smallest tap
  int64_t taps;          // number of them
  int64_t first_output;  // that input `phase` meets by the last tap; it may lie outside

  Phase(int64_t phase, int64_t size, int64_t filter, int64_t stride, int64_t pad)
      : count((size - phase + stride - 1) / stride),
        first_tap((phase + pad) % stride),
        taps(std::max<int64_t>(0, (filter - first_tap + stride - 1) / stride)),
        first_output((phase + pad - first_tap) / stride - (taps - 1)) {}
};

// f(phase of rows, phase of columns, first row, first column) for each phase of the inputs.
template <class F>
void each_phase(const Conv2dGeometry& g, const F& f) {
  for (int64_t row = 0; row < std::min(g.stride_h, g.h); ++row)
    for (int64_t column = 0; column < std::min(g.stride_w, g.w); ++column)
      f(Phase(row, g.h, g.r, g.stride_h, g.pad_top), Phase(column, g.w, g.s, g.stride_w, g.pad_left), row,
        column);
}

GatherConvolution backward_of(const Conv2dGeometry& g, const Phase& h, const Phase& w) {
  return {.images = g.n,
          .h = g.p,
          .w = g.q,
          .in = g.k,
          .rows = h.count,
          .columns = w.count,
          .out = g.c,
          .taps_h = h.taps,
          .taps_w = w.taps,
          .step_h = 1,
          .step_w = 1,
          .first_row = h.first_output,
          .first_column = w.first_output,
          .target_image = g.h * g.w * g.c,
          .target_row = g.stride_h * g.w * g.c,
          .target_pixel = g.stride_w * g.c};
}

// Lays out weight(r, s, in, out) as run_direct reads it, padding the last tile with zeros, and adds the
// zeros.
template <class Weight>
void pack_direct(const GatherConvolution& d, int threads, const Weight& weight, real* packed) {
  parallel_for(threads, tiles_of(d.out) * d.taps(), [&](int64_t task, int) {
    const int64_t tile = task / d.taps(), tap = task % d.taps(), first = tile * kTileWidth;
    const int64_t width = tile_width(d.out, tile), channels = std::min(width, d.out - first);
    real* to = packed + first * d.taps() * d.in + tap * d.in * width;
    for (int64_t in = 0; in < d.in; ++in)
      for (int64_t i = 0; i < width; ++i)
        to[in * width + i] = i < channels ? weight(tap / d.taps_w, tap % d.taps_w, in, first + i) : real{0};
  });
  std::fill_n(packed + packed_size(d), zeros_size(d), real{0});
}

// Lays out weight(r, s, in, out) as run_winograd reads it, some inputs of a tile of outputs at a time.
template <class Weight>
void pack_winograd(const GatherConvolution& d, int threads, const Weight& weight, real* transformed) {
  constexpr int64_t kCount = 16;
  const int64_t parts = (d.in + kCount - 1) / kCount;
  parallel_for(threads, tiles_of(d.out) * parts, [&](int64_t task, int) {
    const int64_t tile = task / parts, first_in = task % parts * kCount, first = tile * kTileWidth,
                  count = std::min(kCount, d.in - first_in);
    const int64_t width = tile_width(d.out, tile), channels = std::min(width, d.out - first);
    real values[kCount * 9 * kTileWidth];
    for (int64_t i = 0; i < width; ++i)
      for (int64_t in = 0; in < count; ++in)
        for (int64_t tap = 0; tap < 9; ++tap)
          values[(in * 9 + tap) * width + i] =
              i < channels ? weight(tap / 3, tap % 3, first_in + in, first + i) : real{0};
    transform_weights(d, tile, first_in, count, values, transformed);
  });
}

// How a backend computes convolutions.
struct Means {
  ConvolutionAlgorithm algorithm;
  int threads;
  real* workspace;
};

template <class Weight>
void convolve(const GatherConvolution& d, const Means& means, const Weight& weight, const real* source,
              const real* bias, real* target, Write write) {
  if (uses_winograd(d, means.algorithm)) {
    pack_winograd(d, means.threads, weight, means.workspace);
    run_winograd(d, means.threads, source, means.workspace, bias, means.workspace + winograd_weights_size(d),
                 target, write);
  } else {
    pack_direct(d, means.threads, weight, means.workspace);
    run_direct(d, means.threads, source, means.workspace, bias, target, write);
  }
}

bool is_empty(const Conv2dGeometry& g) { return g.n * g.h * g.w * g.c * g.p * g.q * g.k == 0; }

// Enough for either pass: each packs every tap once at most.
int64_t direct_workspace(const Conv2dGeometry& g) {
  const int64_t taps = g.r * g.s;
  return std::max(aligned(taps * g.c * padded_to_tiles(g.k)) + aligned(g.c),
                  aligned(taps * g.k * padded_to_tiles(g.c)) + aligned(g.k));
}

}  // namespace

size_t CpuBackend::workspace(const Conv2dGeometry& g) const {
  const int64_t weight = uses_winograd_weight(g, convolution_) ? winograd_weight_workspace(g, threads_)
                                                               : weight_workspace(g, threads_);
  int64_t size = std::max(direct_workspace(g), weight);
  const auto reserve = [&](const GatherConvolution& d) {
    if (uses_winograd(d, convolution_))
      size = std::max(size, winograd_weights_size(d) + threads_ * winograd_scratch_size(d));
  };
  reserve(forward_of(g));
  each_phase(g, [&](const Phase& h, const Phase& w, int64_t, int64_t) { reserve(backward_of(g, h, w)); });
  return static_cast<size_t>(size) * sizeof(real);
}

void CpuBackend::conv2d_forward(const Conv2dGeometry& geometry, const activation* x, const activation* weight,
                                const real* bias, activation* y) {
  if (is_empty(geometry)) return;
  const Conv2dGeometry g = flattened(geometry);
  const GatherConvolution d = forward_of(g);
  const real* from = values_of(weight);
  const auto weight_at = [&](int64_t r, int64_t s, int64_t c, int64_t k) {
    return from[((k * g.r + r) * g.s + s) * g.c + c];
  };
  convolve(d, {convolution_, threads_, workspace_as<real>()}, weight_at, values_of(x), bias, values_of(y),
           Write::overwrite);
}

void CpuBackend::conv2d_backward_data(const Conv2dGeometry& geometry, const activation* dy,
                                      const activation* weight, activation* dx, Write write) {
  if (is_empty(geometry)) return;
  const Conv2dGeometry g = flattened(geometry);
  const real* from = values_of(weight);
  each_phase(g, [&](const Phase& h, const Phase& w, int64_t row, int64_t column) {
    // Outputs ascend, so taps descend.
    const auto weight_at = [&](int64_t i, int64_t j, int64_t k, int64_t c) {
      const int64_t r = h.first_tap + (h.taps - 1 - i) * g.stride_h,
                    s = w.first_tap + (w.taps - 1 - j) * g.stride_w;
      return from[((k * g.r + r) * g.s + s) * g.c + c];
    };
    convolve(backward_of(g, h, w), {convolution_, threads_, workspace_as<real>()}, weight_at, values_of(dy),
             nullptr, values_of(dx) + (row * g.w + column) * g.c, write);
  });
}

void CpuBackend::conv2d_backward_weight(const Conv2dGeometry& g, const activation* x, const activation* dy,
                                        real* dweight, Write write) {
  if (is_empty(g)) return;
  const auto gradient =
      uses_winograd_weight(g, convolution_) ? winograd_weight_gradient : ghost_weight_gradient;
  for (int64_t image = 0; image < g.n; image += g.ghost)
    gradient(g, threads_, values_of(x) + image * g.h * g.w * g.c, values_of(dy) + image * g.p * g.q * g.k,
             workspace_as<real>(), dweight, image == 0 ? write : Write::add);
}

}  // namespace crescendo
