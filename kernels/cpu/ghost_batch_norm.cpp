// Ghost batch norm (docs/derivations/ghost_batch_norm.md), and the bias gradient, whose sums have the
// same shape. With u = x - mean, i = 1 / sqrt(variance + epsilon), m = ghost * pixels, and g = dy masked
// by the ReLU:
//   y = act(u * (scale * i) + shift + residual)
//   dshift = sum g      dscale = i * sum g u      dx = scale * i * (g - sum(g) / m - u * i^2 * sum(g u) / m)
// Sums are taken in double and in order: over the pixels of an image, then over the images of a ghost batch,
// then over ghost batches. The backward pass first adds short runs of pixels in `real`.
#include "kernels/cpu/ghost_batch_norm.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/stream.h"
#include "kernels/pointwise.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// Returns 1 / sqrt(variance + epsilon).
double inverse_of(const BatchNormGeometry& g, real variance) {
  return 1 / std::sqrt(static_cast<double>(variance) + g.epsilon);
}

// Computes totals[i] = sum of rows[0..count)[i], in order. Rows are `width` wide.
void add_rows(const double* rows, int64_t count, int64_t width, double* totals) {
  std::fill(totals, totals + width, 0.0);
  for (int64_t row = 0; row < count; ++row)
    for (int64_t i = 0; i < width; ++i) totals[i] += rows[row * width + i];
}

// Computes sums [2, c] of one image: the mean, and the sum of squared distances from the mean. The second of
// the two passes finds the image in the cache.
void sum_moments(const BatchNormGeometry& g, const real* x, double* sums) {
  double* mean = sums;
  double* squares = sums + g.c;
  std::fill(sums, sums + 2 * g.c, 0.0);
  for (int64_t pixel = 0; pixel < g.pixels; ++pixel)
    for (int64_t c = 0; c < g.c; ++c) mean[c] += x[pixel * g.c + c];
  for (int64_t c = 0; c < g.c; ++c) mean[c] /= static_cast<double>(g.pixels);
  for (int64_t pixel = 0; pixel < g.pixels; ++pixel)
    for (int64_t c = 0; c < g.c; ++c) {
      const double distance = x[pixel * g.c + c] - mean[c];
      squares[c] += distance * distance;
    }
}

// Computes the mean and the variance of one ghost batch from those of its images (Chan, Golub & LeVeque
// 1979). To the squared distances from each image's own mean it adds, for every pixel, the squared distance
// between the image's mean and the common mean.
void combine_images(const BatchNormGeometry& g, const double* images, double* totals, real* mean,
                    real* variance) {
  const double pixels = static_cast<double>(g.pixels), count = static_cast<double>(g.ghost) * pixels;
  add_rows(images, g.ghost, 2 * g.c, totals);
  for (int64_t c = 0; c < g.c; ++c) totals[c] /= static_cast<double>(g.ghost);
  for (int64_t image = 0; image < g.ghost; ++image)
    for (int64_t c = 0; c < g.c; ++c) {
      const double distance = images[image * 2 * g.c + c] - totals[c];
      totals[g.c + c] += pixels * (distance * distance);
    }
  for (int64_t c = 0; c < g.c; ++c) {
    mean[c] = static_cast<real>(totals[c]);
    variance[c] = static_cast<real>(totals[g.c + c] / count);
  }
}

// Computes gradient[c] (=|+=) the ghost batches' totals, added in order or `stride` apart. The totals' rows
// are `width` apart.
void add_ghosts(const double* totals, int64_t ghosts, int64_t width, int64_t channels, real* gradient,
                Write write, int64_t stride) {
  for (int64_t ghost = 0; ghost < ghosts; ++ghost, gradient += stride)
    for (int64_t c = 0; c < channels; ++c) {
      const real total = static_cast<real>(totals[ghost * width + c]);
      const bool first = write_of_ghost(write, ghost, stride) == Write::overwrite;
      gradient[c] = first ? total : gradient[c] + total;
    }
}

// One image to normalise, and the constants of its channels.
struct NormInput {
  const real *x, *residual;  // residual may be null
  const real *mean, *factor, *shift;
};

// Computes y of one image.
void normalise_image(const BatchNormGeometry& g, const NormInput& in, bool past_cache, real* y) {
  const auto value = [&](int64_t i, int64_t c) {
    const real linear = output_of(in.x[i] - in.mean[c], in.factor[c], in.shift[c]);
    const real v = in.residual == nullptr ? linear : linear + in.residual[i];
    return g.relu ? relu_of(v) : v;
  };
  for (int64_t pixel = 0; pixel < g.pixels; ++pixel, y += g.y_pixel()) {
    const int64_t place = pixel * g.c;
    if (!past_cache) {
      for (int64_t c = 0; c < g.c; ++c) y[c] = value(place + c, c);
      continue;
    }
    for (int64_t first = 0; first < g.c; first += kLanes) {
      real lanes[kLanes];
      for (int64_t c = 0; c < kLanes; ++c) lanes[c] = value(place + first + c, first + c);
      stream(y + first, load(lanes));
    }
  }
  end_streaming();
}

// Constants of a ghost batch in the backward pass, each with one number per channel.
struct GhostConstants {
  const real* factor;  // scale * inverse
  real* mean_g;        // sum(g) / m
  real* coefficient;   // inverse^2 * sum(g u) / m

  GhostConstants(const BatchNormGeometry& g, int64_t ghost, const real* factors, double* workspace)
      : factor(factors + ghost * g.c),
        mean_g(reinterpret_cast<real*>(workspace) + ghost * 2 * g.c),
        coefficient(mean_g + g.c) {}
};

// Each image is read in memory order, pixel after pixel. At most kChunk channels are taken together, so that
// their sums and constants stay in the first-level cache; the inner loops handle kStrip channels at a time.
constexpr int64_t kChunk = 1024, kStrip = 16;
// Number of pixels whose terms are added in `real` before their sum is added in double.
constexpr int64_t kRun = 16;

// Calls f(first channel, count) for each chunk.
template <class F>
void each_chunk(int64_t channels, const F& f) {
  for (int64_t first = 0; first < channels; first += kChunk) f(first, std::min(kChunk, channels - first));
}

// Calls f(first, count) for each strip of a chunk. `count` is kStrip as a compile-time constant, except in a
// shorter last strip.
template <class F>
void each_strip(int64_t channels, const F& f) {
  int64_t c = 0;
  for (; c + kStrip <= channels; c += kStrip) f(c, std::integral_constant<int64_t, kStrip>());
  if (c < channels) f(c, channels - c);
}

// Computes sums [2, c] of one image: of g, and of g u.
template <bool Relu>
void sum_gradients(const BatchNormGeometry& g, const real* x, const real* dy, const real* means,
                   const real* shifts, const real* factors, double* sums) {
  std::fill(sums, sums + 2 * g.c, 0.0);
  each_chunk(g.c, [&](int64_t first, int64_t channels) {
    const real *mean = means + first, *shift = shifts + first, *factor = factors + first;
    for (int64_t run = 0; run < g.pixels; run += kRun) {
      real run_g[kChunk], run_gu[kChunk];
      std::fill_n(run_g, channels, real{0});
      std::fill_n(run_gu, channels, real{0});
      for (int64_t pixel = run; pixel < std::min(run + kRun, g.pixels); ++pixel) {
        const real *x_at = x + pixel * g.c + first, *dy_at = dy + pixel * g.y_pixel() + first;
        each_strip(channels, [&](int64_t strip, auto count) {
          for (int64_t c = strip; c < strip + count; ++c) {
            const real u = x_at[c] - mean[c];
            const real d = Relu ? relu_gradient(output_of(u, factor[c], shift[c]), dy_at[c]) : dy_at[c];
            run_g[c] += d;
            run_gu[c] += d * u;
          }
        });
      }
      for (int64_t c = 0; c < channels; ++c) {
        sums[first + c] += static_cast<double>(run_g[c]);
        sums[g.c + first + c] += static_cast<double>(run_gu[c]);
      }
    }
  });
}

// Computes dx of one image.
template <bool Relu, Write write>
void write_gradients(const BatchNormGeometry& g, const real* x, const real* dy, const real* means,
                     const real* shifts, const GhostConstants& ghost, bool past_cache, real* dx) {
  each_chunk(g.c, [&](int64_t first, int64_t channels) {
    real mean[kChunk], shift[kChunk], factor[kChunk], mean_g[kChunk], coefficient[kChunk];
    for (int64_t c = 0; c < channels; ++c) {
      mean[c] = means[first + c], shift[c] = shifts[first + c], factor[c] = ghost.factor[first + c];
      mean_g[c] = ghost.mean_g[first + c], coefficient[c] = ghost.coefficient[first + c];
    }
    for (int64_t pixel = 0; pixel < g.pixels; ++pixel) {
      const real *x_at = x + pixel * g.c + first, *dy_at = dy + pixel * g.y_pixel() + first;
      real* dx_at = dx + pixel * g.c + first;
      each_strip(channels, [&](int64_t strip, auto count) {
        real gradient[kStrip];
        for (int64_t i = 0; i < count; ++i) {
          const int64_t c = strip + i;
          const real u = x_at[c] - mean[c];
          const real d = Relu ? relu_gradient(output_of(u, factor[c], shift[c]), dy_at[c]) : dy_at[c];
          gradient[i] = factor[c] * ((d - mean_g[c]) - u * coefficient[c]);
        }
        if (write == Write::overwrite && past_cache)
          for (int64_t i = 0; i < count; i += kLanes) stream(dx_at + strip + i, load(gradient + i));
        else
          for (int64_t i = 0; i < count; ++i)
            dx_at[strip + i] = write == Write::add ? dx_at[strip + i] + gradient[i] : gradient[i];
      });
    }
  });
}

// Calls f(relu, write) with both as compile-time constants.
template <class F>
void with_modes(bool relu, Write write, const F& f) {
  using Overwrite = std::integral_constant<Write, Write::overwrite>;
  using Add = std::integral_constant<Write, Write::add>;
  const auto with_write = [&](auto relu_constant) {
    write == Write::add ? f(relu_constant, Add()) : f(relu_constant, Overwrite());
  };
  relu ? with_write(std::true_type()) : with_write(std::false_type());
}

}  // namespace

// Each image takes two rows of sums, and each ghost batch one row of factors.
// There are no more ghost batches than images.
size_t CpuBackend::workspace_for(const BatchNormGeometry& g) const {
  return static_cast<size_t>(3 * g.n * g.c + finish_backward_workspace(g)) * sizeof(double);
}

size_t CpuBackend::workspace_for(const BiasGeometry& g) const {
  return static_cast<size_t>(2 * g.n * g.c) * sizeof(double);
}

void norm_factors(const BatchNormGeometry& g, const NormOperands& norm, real* factors) {
  for (int64_t i = 0; i < g.ghosts() * g.c; ++i)
    factors[i] =
        static_cast<real>(static_cast<double>(norm.scale[i % g.c]) * inverse_of(g, norm.variance[i]));
}

void combine_moments(const BatchNormGeometry& g, const Threads& threads, const double* sums, double* totals,
                     real* mean, real* variance) {
  parallel_for(threads, g.ghosts(), [&](int64_t ghost, int) {
    combine_images(g, sums + ghost * g.ghost * 2 * g.c, totals + ghost * 2 * g.c, mean + ghost * g.c,
                   variance + ghost * g.c);
  });
}

void CpuBackend::compute(const GhostMoments& call) {
  const BatchNormGeometry& g = call.geometry;
  if (g.n * g.pixels * g.c == 0) return;
  double* sums = workspace_as<double>();  // [n, 2, c]
  parallel_for(g.n, [&](int64_t image, int) {
    sum_moments(g, values_of(call.x) + image * g.pixels * g.c, sums + image * 2 * g.c);
  });
  combine_moments(g, threads_, sums, sums + g.n * 2 * g.c, call.mean, call.variance);
}

void CpuBackend::compute(const Normalise& call) {
  const BatchNormGeometry& g = call.geometry;
  const NormOperands& norm = call.norm;
  const int64_t image_size = g.pixels * g.c;
  if (g.n * image_size == 0) return;
  real* factors = workspace_as<real>();
  norm_factors(g, norm, factors);
  const bool past_cache =
      g.c % kLanes == 0 && goes_past_cache(values_of(call.y), g.n * image_size, g.y_pixel());
  parallel_for(g.n, [&](int64_t image, int) {
    const int64_t ghost = image / g.ghost * g.c, first = image * image_size;
    const real* skip = call.residual == nullptr ? nullptr : values_of(call.residual) + first;
    normalise_image(g, {values_of(call.x) + first, skip, norm.mean + ghost, factors + ghost, norm.shift},
                    past_cache, values_of(call.y) + image * g.pixels * g.y_pixel());
  });
}

// Each ghost batch takes two rows of totals and two rows of constants.
int64_t finish_backward_workspace(const BatchNormGeometry& g) { return 4 * g.n * g.c; }

void finish_backward(const BatchNormGeometry& g, bool relu, const Threads& threads, const real* x,
                     const real* dy, const NormOperands& norm, const real* factors, const double* sums,
                     double* workspace, real* dx, Write write_dx, const NormGradients& gradients) {
  const double count = static_cast<double>(g.ghost * g.pixels);
  const int64_t image_size = g.pixels * g.c, width = 2 * g.c;
  double* totals = workspace;  // [ghosts, 2, c]
  double* constants = totals + g.ghosts() * width;
  parallel_for(threads, g.ghosts(), [&](int64_t ghost, int) {
    double* total = totals + ghost * width;
    add_rows(sums + ghost * g.ghost * width, g.ghost, width, total);
    const GhostConstants constant(g, ghost, factors, constants);
    for (int64_t c = 0; c < g.c; ++c) {
      const double inverse = inverse_of(g, norm.variance[ghost * g.c + c]);
      total[g.c + c] *= inverse;
      constant.mean_g[c] = static_cast<real>(total[c] / count);
      constant.coefficient[c] = static_cast<real>(inverse * total[g.c + c] / count);
    }
  });
  add_ghosts(totals, g.ghosts(), width, g.c, gradients.dshift, gradients.write, gradients.dshift_stride);
  add_ghosts(totals + g.c, g.ghosts(), width, g.c, gradients.dscale, gradients.write,
             gradients.dscale_stride);
  const bool past_cache = g.c % kStrip == 0 && goes_past_cache(dx, g.n * image_size, g.c);
  parallel_for(threads, g.n, [&](int64_t image, int) {
    const int64_t ghost = image / g.ghost;
    with_modes(relu, write_dx, [&](auto masks, auto write) {
      write_gradients<masks(), write()>(
          g, x + image * image_size, dy + image * g.pixels * g.y_pixel(), norm.mean + ghost * g.c, norm.shift,
          GhostConstants(g, ghost, factors, constants), past_cache, dx + image * image_size);
    });
    end_streaming();
  });
}

void CpuBackend::compute(const GhostBatchNormBackward& call) {
  const BatchNormGeometry& g = call.geometry;
  const NormOperands& norm = call.norm;
  if (g.n * g.pixels * g.c == 0) return;
  double* sums = workspace_as<double>();  // [n, 2, c]
  real* factors = reinterpret_cast<real*>(sums + g.n * 2 * g.c);
  norm_factors(g, norm, factors);
  parallel_for(g.n, [&](int64_t image, int) {
    const int64_t ghost = image / g.ghost;
    with_modes(g.relu, call.write_dx, [&](auto relu, auto) {
      sum_gradients<relu()>(g, values_of(call.x) + image * g.pixels * g.c,
                            values_of(call.dy) + image * g.pixels * g.y_pixel(), norm.mean + ghost * g.c,
                            norm.shift, factors + ghost * g.c, sums + image * 2 * g.c);
    });
  });
  finish_backward(g, g.relu, threads_, values_of(call.x), values_of(call.dy), norm, factors, sums,
                  sums + 3 * g.n * g.c, values_of(call.dx), call.write_dx, gradients_of(call));
}

void CpuBackend::compute(const UpdateRunningStatistics& call) {
  const BatchNormGeometry& g = call.geometry;
  const double keep = call.keep, weight = call.weight;
  const double count = static_cast<double>(g.ghost * g.pixels);
  const double unbiased = count > 1 ? count / (count - 1) : 0;
  for (int64_t ghost = 0; ghost < (g.n == 0 ? 0 : g.ghosts()); ++ghost)
    for (int64_t c = 0; c < g.c; ++c) {
      const int64_t i = ghost * g.c + c;
      real &mean = call.running_mean[c], &variance = call.running_variance[c];
      mean = static_cast<real>(keep * mean + weight * call.mean[i]);
      variance = static_cast<real>(keep * variance + weight * unbiased * call.variance[i]);
    }
}

void CpuBackend::compute(const BiasBackward& call) {
  const BiasGeometry& g = call.geometry;
  if (g.n * g.pixels * g.c == 0) return;
  double* sums = workspace_as<double>();
  double* totals = sums + g.n * g.c;
  parallel_for(g.n, [&](int64_t image, int) {
    const real* from = values_of(call.dy) + image * g.pixels * g.c;
    double* sum = sums + image * g.c;
    std::fill(sum, sum + g.c, 0.0);
    for (int64_t pixel = 0; pixel < g.pixels; ++pixel, from += g.c)
      for (int64_t c = 0; c < g.c; ++c) sum[c] += from[c];
  });
  const int64_t ghosts = g.n / g.ghost;
  for (int64_t ghost = 0; ghost < ghosts; ++ghost)
    add_rows(sums + ghost * g.ghost * g.c, g.ghost, g.c, totals + ghost * g.c);
  add_ghosts(totals, ghosts, g.c, g.c, call.dbias, call.write, call.ghost_stride);
}

}  // namespace crescendo::CRESCENDO_CPU
