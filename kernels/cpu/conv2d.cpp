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

// The weights of a gathering convolution where they lie: that of a tap for `in` and `out` is
// first[row * r + column * s + in_stride * in + out_stride * out]. Either in_stride or out_stride is 1.
struct Weights {
  const real* first;
  int64_t row, column;
  int64_t in_stride, out_stride;
};

// rows[i] holds the weights of input in + i for a vector of outputs from `out` on; zeros beyond `ins` and
// `outs`.
void load_weights(const Weights& weights, int64_t tap_offset, int64_t in, int64_t ins, int64_t out,
                  int64_t outs, Vector (&rows)[kLanes]) {
  const bool contiguous = weights.out_stride == 1;
  const real* from = weights.first + tap_offset + in * weights.in_stride + out * weights.out_stride;
  const int64_t count = std::min<int64_t>(kLanes, contiguous ? ins - in : outs - out);
  const int64_t lanes = contiguous ? outs - out : ins - in;
  const int64_t stride = contiguous ? weights.in_stride : weights.out_stride;
  for (int64_t i = 0; i < kLanes; ++i) rows[i] = i < count ? load_some(from + i * stride, lanes) : zero();
  if (!contiguous) transpose(rows);
}

// Lays out the weights as run_direct reads them, padding the last tile with zeros, and adds the zeros.
void pack_direct(const GatherConvolution& d, int threads, const Weights& weights, real* packed) {
  parallel_for(threads, tiles_of(d.out) * d.taps(), [&](int64_t task, int) {
    const int64_t tile = task / d.taps(), tap = task % d.taps(), first = tile * kTileWidth;
    const int64_t width = tile_width(d.out, tile);
    const int64_t tap_offset = tap / d.taps_w * weights.row + tap % d.taps_w * weights.column;
    real* to = packed + first * d.taps() * d.in + tap * d.in * width;
    for (int64_t in = 0; in < d.in; in += kLanes)
      for (int64_t i = 0; i < width; i += kLanes) {
        Vector rows[kLanes];
        load_weights(weights, tap_offset, in, d.in, first + i, d.out, rows);
        for (int64_t j = 0; j < std::min<int64_t>(kLanes, d.in - in); ++j)
          store(to + (in + j) * width + i, rows[j]);
      }
  });
  std::fill_n(packed + packed_size(d), zeros_size(d), real{0});
}

// Lays out the weights as run_winograd reads them, a vector of inputs of a tile of outputs at a time.
void pack_winograd(const GatherConvolution& d, int threads, const Weights& weights, real* transformed) {
  const int64_t blocks = (d.in + kLanes - 1) / kLanes;
  parallel_for(threads, tiles_of(d.out) * blocks, [&](int64_t task, int) {
    const int64_t tile = task / blocks, in = task % blocks * kLanes, first = tile * kTileWidth;
    for (int64_t i = 0; i < tile_width(d.out, tile); i += kLanes) {
      Vector taps[9][kLanes];
      for (int64_t tap = 0; tap < 9; ++tap)
        load_weights(weights, tap / 3 * weights.row + tap % 3 * weights.column, in, d.in, first + i, d.out,
                     taps[tap]);
      transform_weights(d, first + i, in, taps, transformed);
    }
  });
}

// How a backend computes convolutions.
struct Means {
  ConvolutionAlgorithm algorithm;
  int threads;
  real* workspace;
};

void convolve(const GatherConvolution& d, const Means& means, const Weights& weights, const real* source,
              const real* bias, real* target, Write write) {
  if (uses_winograd(d, means.algorithm)) {
    pack_winograd(d, means.threads, weights, means.workspace);
    run_winograd(d, means.threads, source, means.workspace, bias, means.workspace + winograd_weights_size(d),
                 target, write);
  } else {
    pack_direct(d, means.threads, weights, means.workspace);
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
  const Weights weights{values_of(weight), g.s * g.c, g.c, 1, g.r * g.s * g.c};
  convolve(d, {convolution_, threads_, workspace_as<real>()}, weights, values_of(x), bias, values_of(y),
           Write::overwrite);
}

void CpuBackend::conv2d_backward_data(const Conv2dGeometry& geometry, const activation* dy,
                                      const activation* weight, activation* dx, Write write) {
  if (is_empty(geometry)) return;
  const Conv2dGeometry g = flattened(geometry);
  each_phase(g, [&](const Phase& h, const Phase& w, int64_t row, int64_t column) {
    // Outputs ascend, so taps descend.
    const int64_t last_r = h.first_tap + (h.taps - 1) * g.stride_h,
                  last_s = w.first_tap + (w.taps - 1) * g.stride_w;
    const Weights weights{values_of(weight) + (last_r * g.s + last_s) * g.c, -g.stride_h * g.s * g.c,
                          -g.stride_w * g.c, g.r * g.s * g.c, 1};
    convolve(backward_of(g, h, w), {convolution_, threads_, workspace_as<real>()}, weights, values_of(dy),
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
