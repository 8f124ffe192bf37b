// Convolution of a normalised input by Winograd's algorithm. Fusing the norm saves passes over memory.
//   forward   The input transform normalises x and applies the ReLU while it reads x. The output transform
//             adds the residual and sums the moments of y while it writes y.
//   backward  The output transform of the data gradient masks the gradient by the ReLU and takes the sums
//             that the norm's gradient needs. The norm's second pass (finish_backward) then writes dx.
// Sums are taken over a tile in `real`, then over an image's tiles, in order, in double, and then over images
// as in ghost_batch_norm.cpp.
#include "kernels/cpu/conv2d_winograd.h"
#include "kernels/cpu/conv2d_winograd_weight.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/ghost_batch_norm.h"
#include "kernels/cpu/pack_weights.h"
#include "kernels/cpu/winograd_blocks.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

using winograd::StripGrid;
using winograd::TilePlace;

// The sizes of a batch's images [rows,columns,channels], and offsets of pixels in the batch.
struct Images {
  int64_t rows, columns, channels;

  // Returns the offset of a tile's first pixel.
  int64_t place(const TilePlace& at) const {
    return ((at.image * rows + at.row) * columns + at.column) * channels + at.channel;
  }
  // Returns the distance from a pixel to the one i rows below and j columns to the right.
  int64_t step(int64_t i, int64_t j) const { return (i * columns + j) * channels; }
};
Images outputs_of(const Conv2dGeometry& g) { return {g.p, g.q, g.k}; }
Images inputs_of(const Conv2dGeometry& g) { return {g.h, g.w, g.c}; }

// The output of the forward pass in run_blocks: y = tile + residual. For each tile it also writes the sum of
// y and the sum of squared distances from the tile's mean.
struct ForwardOutput {
  Images images;
  const real* residual;  // or null
  real* y;
  real* sums;  // [tiles, 2, channels], or null
  bool past_cache;

  winograd::Image reads() const { return {residual, images.rows, images.columns, images.channels}; }
  template <class Place, size_t Rows, size_t Columns>
  void write(const Place& at, Vector (&tile)[Rows][Columns]) const {
    const int64_t place = images.place(at);
    if (residual != nullptr)
      at.each_pixel([&](int64_t i, int64_t j) {
        tile[i][j] = add(tile[i][j], at.read(residual + place + images.step(i, j)));
      });
    at.each_pixel(
        [&](int64_t i, int64_t j) { at.write(y + place + images.step(i, j), tile[i][j], past_cache); });
    if (sums == nullptr) return;
    Vector sum = zero(), squares = zero();
    at.each_pixel([&](int64_t i, int64_t j) { sum = add(sum, tile[i][j]); });
    const Vector mean = winograd::multiply(1 / static_cast<double>(at.rows * at.columns), sum);
    at.each_pixel([&](int64_t i, int64_t j) {
      const Vector distance = subtract(tile[i][j], mean);
      squares = multiply_add(distance, distance, squares);
    });
    real* to = sums + at.index * 2 * images.channels + at.channel;
    at.write(to, sum);
    at.write(to + images.channels, squares);
  }
};

// The output of the backward pass in run_blocks: g = tile where the normalised x is positive, else 0; without
// a ReLU, g = tile. For each tile it also writes the sum of g and the sum of g (x - mean).
struct BackwardOutput {
  Images images;
  winograd::Normalised norm;
  const real* x;
  real* g;
  real* sums;  // [tiles, 2, channels]
  bool past_cache;

  winograd::Image reads() const { return {x, images.rows, images.columns, images.channels}; }
  template <class Place, size_t Rows, size_t Columns>
  void write(const Place& at, const Vector (&tile)[Rows][Columns]) const {
    const int64_t place = images.place(at);
    const winograd::Normalised::Pixel pixel = norm.at(at.image, at.channel, at.lanes);
    Vector sum = zero(), product = zero();
    at.each_pixel([&](int64_t i, int64_t j) {
      const int64_t here = place + images.step(i, j);
      const Vector centred = pixel.centred(at.read(x + here));
      const Vector masked = norm.relu ? where_positive(pixel.linear(centred), tile[i][j]) : tile[i][j];
      at.write(g + here, masked, past_cache);
      sum = add(sum, masked);
      product = multiply_add(masked, centred, product);
    });
    real* to = sums + at.index * 2 * images.channels + at.channel;
    at.write(to, sum);
    at.write(to + images.channels, product);
  }
};

// Returns the grid of tiles that a convolution with the filter of `g` writes to these images.
StripGrid grid_of(const Conv2dGeometry& g, const Images& images) {
  return winograd::with_unit_stride(
      g.r, g.s, [&](auto kind) { return StripGrid::of<decltype(kind)>(images.rows, images.columns); });
}

// Combines the moments of tiles [tiles, 2, c] into those of images [n, 2, c]: the mean, and the sum of
// squared distances from the mean.
void image_moments(const Conv2dGeometry& g, const Threads& threads, const real* tiles, double* images) {
  const StripGrid grid = grid_of(g, outputs_of(g));
  parallel_for(threads, g.n, [&](int64_t image, int) {
    double* mean = images + image * 2 * g.k;
    double* squares = mean + g.k;
    std::fill(mean, mean + 2 * g.k, 0.0);
    grid.each_tile(image, [&](int64_t tile, int64_t) {
      for (int64_t k = 0; k < g.k; ++k) mean[k] += static_cast<double>(tiles[tile * 2 * g.k + k]);
    });
    for (int64_t k = 0; k < g.k; ++k) mean[k] /= static_cast<double>(g.p * g.q);
    grid.each_tile(image, [&](int64_t tile, int64_t pixels) {
      const real* sum = tiles + tile * 2 * g.k;
      for (int64_t k = 0; k < g.k; ++k) {
        const double distance = static_cast<double>(sum[k]) / static_cast<double>(pixels) - mean[k];
        squares[k] += static_cast<double>(sum[g.k + k]) + static_cast<double>(pixels) * (distance * distance);
      }
    });
  });
}

// Adds up sums of tiles [tiles, 2, c] into sums of images [n, 2, c].
void image_sums(const Conv2dGeometry& g, const Threads& threads, const real* tiles, double* images) {
  const StripGrid grid = grid_of(g, inputs_of(g));
  parallel_for(threads, g.n, [&](int64_t image, int) {
    double* sums = images + image * 2 * g.c;
    std::fill(sums, sums + 2 * g.c, 0.0);
    grid.each_tile(image, [&](int64_t tile, int64_t) {
      for (int64_t i = 0; i < 2 * g.c; ++i) sums[i] += static_cast<double>(tiles[tile * 2 * g.c + i]);
    });
  });
}

// The layout of the workspace. Sizes and offsets are in elements of real.
struct Layout {
  int64_t factors, tile_sums, image_sums, rest, end;

  // The layout begins after `used` elements. `images` [n,rows,columns,channels] are the images to sum over.
  Layout(int64_t used, const Conv2dGeometry& g, const BatchNormGeometry& norm, int64_t n,
         const Images& images) {
    constexpr int64_t kDouble = sizeof(double) / sizeof(real);
    factors = aligned(used);
    tile_sums = factors + aligned(norm.ghosts() * norm.c);
    image_sums = tile_sums + aligned(grid_of(g, images).tile(n, 0, 0) * 2 * images.channels);
    rest = image_sums + aligned(n * 2 * images.channels * kDouble);
    end = rest + n * 4 * images.channels * kDouble;
  }
};

// Returns the elements that a convolution needs for its transformed weights and its threads' scratch.
int64_t winograd_workspace(const GatherConvolution& d, int threads) {
  return winograd_weights_size(d) + threads * winograd_scratch_size(d);
}

// Returns the transform input that normalises images from ghost batch `ghost` on.
winograd::Normalised normalised(const BatchNormGeometry& g, const NormOperands& norm, const real* factors,
                                int64_t ghost) {
  return {norm.mean + ghost * g.c, factors + ghost * g.c, norm.shift, g.ghost, g.c, g.relu};
}

}  // namespace

bool CpuBackend::fuses_norm(const Conv2dGeometry& g) const {
  return g.stride_h == 1 && g.stride_w == 1 && uses_winograd(gather_forward(g).convolution, convolution_) &&
         uses_winograd(gather_backward_whole(g).convolution, convolution_) &&
         uses_winograd_weight(g, convolution_);
}

size_t CpuBackend::workspace_for(const Conv2dGeometry& g, const BatchNormGeometry& norm) const {
  if (g.n == 0) return 0;
  const int64_t forward = winograd_workspace(gather_forward(g).convolution, threads_.count()),
                backward = winograd_workspace(gather_backward_whole(g).convolution, threads_.count()),
                weight = winograd_weight_workspace(g, threads_.count());
  return static_cast<size_t>(std::max({Layout(forward, g, norm, g.n, outputs_of(g)).end,
                                       Layout(backward, g, norm, g.n, inputs_of(g)).end,
                                       Layout(weight, g, norm, 0, inputs_of(g)).end})) *
         sizeof(real);
}

void CpuBackend::compute(const NormConv2dForward& call) {
  const Conv2dGeometry& g = call.geometry;
  const BatchNormGeometry& norm = call.norm_geometry;
  if (g.n * g.h * g.w * g.c * g.k == 0) return;
  const Gather gather = gather_forward(g);
  const GatherConvolution& d = gather.convolution;
  const Layout layout(winograd_workspace(d, threads_.count()), g, norm, g.n, outputs_of(g));
  real* base = workspace_as<real>();
  real* sums = call.y_mean != nullptr ? base + layout.tile_sums : nullptr;
  norm_factors(norm, call.norm, base + layout.factors);
  pack_winograd(gather, threads_, values_of(call.weight), base);
  real* y = values_of(call.y);
  const ForwardOutput output{outputs_of(g), call.residual == nullptr ? nullptr : values_of(call.residual), y,
                             sums, goes_past_cache(y, g.n * g.p * g.q * g.k, g.k)};
  winograd::with_unit_stride(g.r, g.s, [&](auto kind) {
    winograd::run_blocks<decltype(kind)>(d, threads_, {values_of(call.x), g.h, g.w, g.c},
                                         normalised(norm, call.norm, base + layout.factors, 0), base,
                                         base + winograd_weights_size(d), output);
  });
  if (sums == nullptr) return;
  double* images = reinterpret_cast<double*>(base + layout.image_sums);
  image_moments(g, threads_, sums, images);
  combine_moments({.n = g.n, .pixels = g.p * g.q, .c = g.k, .ghost = g.ghost, .epsilon = 0, .relu = false},
                  threads_, images, reinterpret_cast<double*>(base + layout.rest), call.y_mean,
                  call.y_variance);
}

void CpuBackend::compute(const NormConv2dBackwardWeight& call) {
  const Conv2dGeometry& g = call.geometry;
  const BatchNormGeometry& norm = call.norm_geometry;
  if (g.n * g.h * g.w * g.c * g.k == 0) return;
  real* base = workspace_as<real>();
  real* factors =
      base + Layout(winograd_weight_workspace(g, threads_.count()), g, norm, 0, inputs_of(g)).factors;
  norm_factors(norm, call.norm, factors);
  for (int64_t ghost = 0; ghost < norm.ghosts(); ++ghost)
    winograd_weight_gradient(
        g, threads_, values_of(call.x) + ghost * g.ghost * g.h * g.w * g.c,
        normalised(norm, call.norm, factors, ghost), values_of(call.dy) + ghost * g.ghost * g.p * g.q * g.k,
        base, call.dweight + ghost * call.ghost_stride, write_of_ghost(call.write, ghost, call.ghost_stride));
}

void CpuBackend::compute(const NormConv2dBackwardData& call) {
  const Conv2dGeometry& g = call.geometry;
  const BatchNormGeometry& norm = call.norm_geometry;
  if (g.n * g.h * g.w * g.c * g.k == 0) return;
  const Gather gather = gather_backward_whole(g);
  const GatherConvolution& d = gather.convolution;
  const Layout layout(winograd_workspace(d, threads_.count()), g, norm, g.n, inputs_of(g));
  real* base = workspace_as<real>();
  real* factors = base + layout.factors;
  norm_factors(norm, call.norm, factors);
  pack_winograd(gather, threads_, values_of(call.weight), base);
  real* between = values_of(call.between);
  const BackwardOutput output{inputs_of(g),
                              normalised(norm, call.norm, factors, 0),
                              values_of(call.x),
                              between,
                              base + layout.tile_sums,
                              goes_past_cache(between, g.n * g.h * g.w * g.c, g.c)};
  winograd::with_unit_stride(g.r, g.s, [&](auto kind) {
    winograd::run_blocks<decltype(kind)>(d, threads_, {values_of(call.dy), g.p, g.q, g.k},
                                         winograd::AsTheyAre(), base, base + winograd_weights_size(d),
                                         output);
  });
  double* images = reinterpret_cast<double*>(base + layout.image_sums);
  image_sums(g, threads_, base + layout.tile_sums, images);
  finish_backward(norm, false, threads_, values_of(call.x), between, call.norm, factors, images,
                  reinterpret_cast<double*>(base + layout.rest), values_of(call.dx), call.write_dx,
                  gradients_of(call));
}

}  // namespace crescendo::CRESCENDO_CPU
