// Ghost batch norm (docs/derivations/ghost_batch_norm.md), and the bias gradient, which is a sum of the same
// shape. With u = x - mean, i = 1 / sqrt(variance + epsilon), m = ghost * pixels, and g = dy where the ReLU
// let y through:
//   y = act(u * (scale * i) + shift + residual)
//   dshift = sum g      dscale = i * sum g u      dx = scale * i * (g - sum(g) / m - u * i^2 * sum(g u) / m)
#pragma once

#include <cmath>
#include <type_traits>

#include "kernels/cuda/ghost_sums.cuh"
#include "kernels/cuda/own_kernels.h"
#include "kernels/pointwise.h"

namespace crescendo::cuda {

// The constants that normalise a vector of channels, forward and again backward.
template <int Width>
struct Channels {
  real mean[Width], factor[Width], shift[Width];

  __device__ Channels(const Slices& s, const BatchNormGeometry& g, const NormOperands& norm, int64_t ghost,
                      int64_t first) {
    for (int lane = 0; lane < Width; ++lane) {
      const int64_t channel = first + lane, at = statistic(s, ghost, channel);
      mean[lane] = norm.mean[at];
      factor[lane] = norm_factor(norm.scale[channel], norm.variance[at], g.epsilon);
      shift[lane] = norm.shift[channel];
    }
  }
  // Returns dy where the ReLU passed y, else 0.
  __device__ real gradient(const BatchNormGeometry& g, int lane, real u, real dy) const {
    return g.relu ? relu_gradient(output_of(u, factor[lane], shift[lane]), dy) : dy;
  }
};

// ---- Statistics

// Sums x and its squares in double:
// even a mean many deviations from zero then costs no digits that a float had.
template <class T, int Width>
__global__ void __launch_bounds__(kThreads) moments_kernel(Slices s, const T* x, double* sums) {
  sum_slice<double, Width>(
      s,
      [x, c = s.c](int64_t row, int64_t channel, double* sum, double* squares) {
        const auto pixel = load<Width>(x + row * c + channel);
        for (int lane = 0; lane < Width; ++lane) {
          const double v = static_cast<double>(static_cast<real>(pixel.lanes[lane]));
          sum[lane] += v;
          squares[lane] += v * v;
        }
      },
      sums);
}

template <class T, int Width>
__global__ void __launch_bounds__(kThreads)
    normalise_kernel(Slices s, BatchNormGeometry g, const T* x, NormOperands norm, const T* residual, T* y,
                     int64_t y_pixel) {
  const Walk<Width> walk(s);
  if (!walk.works) return;
  const Channels<Width> channels(s, g, norm, walk.ghost, walk.channel);
  for (int64_t row = walk.row; row < walk.end; row += walk.step) {
    const int64_t place = row * s.c + walk.channel;
    auto pixel = load<Width>(x + place);
    Vector<T, Width> skip{};
    if (residual != nullptr) skip = load<Width>(residual + place);
    for (int lane = 0; lane < Width; ++lane) {
      real v =
          output_of(pixel.lanes[lane] - channels.mean[lane], channels.factor[lane], channels.shift[lane]);
      if (residual != nullptr) v += static_cast<real>(skip.lanes[lane]);
      pixel.lanes[lane] = T(g.relu ? relu_of(v) : v);
    }
    store(y + row * y_pixel + walk.channel, pixel);
  }
}

// ---- Backward

// Sums g and g u. dy is read by vectors of DyWidth elements, which is Width or 1.
template <class T, int Width, int DyWidth>
__global__ void __launch_bounds__(kThreads)
    gradient_sums_kernel(Slices s, BatchNormGeometry g, const T* x, const T* dy, int64_t dy_pixel,
                         NormOperands norm, double* sums) {
  const Walk<Width> walk(s);
  const Channels<Width> channels(s, g, norm, walk.ghost, walk.works ? walk.channel : 0);
  sum_slice<real, Width>(
      s,
      [&](int64_t row, int64_t channel, real* sum, real* products) {
        const auto pixel = load<Width>(x + row * s.c + channel);
        const auto gradient = load_by<Width, DyWidth>(dy + row * dy_pixel + channel);
        for (int lane = 0; lane < Width; ++lane) {
          const real u = pixel.lanes[lane] - channels.mean[lane];
          const real d = channels.gradient(g, lane, u, gradient.lanes[lane]);
          sum[lane] += d;
          products[lane] += d * u;
        }
      },
      sums);
}

// Writes totals [2][ghosts,c], sum(g) and i * sum(g u), and constants [2][ghosts,c], sum(g) / m and
// i^2 * sum(g u) / m: the terms that dx subtracts.
static __global__ void __launch_bounds__(kThreads)
    finish_gradients_kernel(Slices s, BatchNormGeometry g, NormOperands norm, const double* sums,
                            double* totals, real* constants) {
  const Totals total = total_of_slices(s, sums);
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * kAcross + threadIdx.x;
  if (threadIdx.x >= kAcross || channel >= s.c) return;
  const int64_t at = statistic(s, blockIdx.y, channel), size = s.ghosts * s.c;
  const double inverse = 1 / std::sqrt(static_cast<double>(norm.variance[at]) + g.epsilon);
  const double m = static_cast<double>(s.rows), scaled = total.second * inverse;
  totals[at] = total.first;
  totals[size + at] = scaled;
  constants[at] = static_cast<real>(total.first / m);
  constants[size + at] = static_cast<real>(inverse * scaled / m);
}

// gradient[channel] (=|+=) the total of each ghost batch, in order or `stride` apart.
HD inline void add_ghosts(const double* totals, int64_t ghosts, int64_t channels, int64_t channel,
                          Write write, real* gradient, int64_t stride) {
  for (int64_t ghost = 0; ghost < ghosts; ++ghost) {
    const real total = static_cast<real>(totals[ghost * channels + channel]);
    real& sum = gradient[ghost * stride + channel];
    sum = write_of_ghost(write, ghost, stride) == Write::overwrite ? total : sum + total;
  }
}

template <class T, int Width>
__global__ void __launch_bounds__(kThreads)
    write_gradients_kernel(Slices s, BatchNormGeometry g, const T* x, const T* dy, int64_t dy_pixel,
                           NormOperands norm, const real* constants, T* dx, Write write) {
  const Walk<Width> walk(s);
  if (!walk.works) return;
  const Channels<Width> channels(s, g, norm, walk.ghost, walk.channel);
  // Copied, because the compiler must assume that dx may overlap the constants.
  const int64_t at = statistic(s, walk.ghost, walk.channel);
  const auto mean_g = load<Width>(constants + at);
  const auto coefficient = load<Width>(constants + s.ghosts * s.c + at);
  for (int64_t row = walk.row; row < walk.end; row += walk.step) {
    const int64_t place = row * s.c + walk.channel;
    const auto pixel = load<Width>(x + place);
    const auto gradient = load<Width>(dy + row * dy_pixel + walk.channel);
    Vector<T, Width> result{};
    if (write == Write::add) result = load<Width>(dx + place);
    for (int lane = 0; lane < Width; ++lane) {
      const real u = pixel.lanes[lane] - channels.mean[lane];
      const real d = channels.gradient(g, lane, u, gradient.lanes[lane]);
      const real value = channels.factor[lane] * ((d - mean_g.lanes[lane]) - u * coefficient.lanes[lane]);
      result.lanes[lane] = T(write == Write::add ? result.lanes[lane] + value : value);
    }
    store(dx + place, result);
  }
}

template <class T, int Width>
__global__ void __launch_bounds__(kThreads) bias_sums_kernel(Slices s, const T* dy, double* sums) {
  sum_slice<double, Width>(
      s,
      [dy, c = s.c](int64_t row, int64_t channel, double* sum, double*) {
        const auto gradient = load<Width>(dy + row * c + channel);
        for (int lane = 0; lane < Width; ++lane)
          sum[lane] += static_cast<double>(static_cast<real>(gradient.lanes[lane]));
      },
      sums);
}

static __global__ void __launch_bounds__(kThreads)
    finish_bias_kernel(Slices s, const double* sums, double* totals) {
  const Totals total = total_of_slices(s, sums);
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * kAcross + threadIdx.x;
  if (threadIdx.x < kAcross && channel < s.c) totals[statistic(s, blockIdx.y, channel)] = total.first;
}

// ---- The calls

// Calls f(width) with the number of channels that a thread takes at once: 16 bytes of them, or 1. It follows
// from the number of channels alone, because it decides the order of additions.
template <class T, class F>
void with_width(int64_t channels, const F& f) {
  constexpr int kWide = 16 / sizeof(T);
  if (channels % kWide == 0)
    f(std::integral_constant<int, kWide>());
  else
    f(std::integral_constant<int, 1>());
}

// Returns true if y or dy, whose pixels may be larger than x's, can be accessed by such vectors.
template <class T>
bool takes_vectors(const T* y, const BatchNormGeometry& g) {
  constexpr int kWide = 16 / sizeof(T);
  return is_aligned(y, kWide) && g.y_pixel() % kWide == 0;
}

template <int Width>
constexpr size_t kSliceShared = kThreads* Width * 2 * sizeof(double);

// Counts the sums of slices, and two rows each of totals and constants for each ghost batch.
template <class T>
size_t OwnKernels<T>::workspace(const BatchNormGeometry& g) {
  if (g.n * g.pixels * g.c == 0) return 0;
  int64_t sums = 0;
  with_width<T>(g.c, [&](auto width) { sums = Slices(g.n, g.pixels, g.c, g.ghost, width()).sums(); });
  return static_cast<size_t>(sums + 4 * g.ghosts() * g.c) * sizeof(double);
}

template <class T>
size_t OwnKernels<T>::workspace(const BiasGeometry& g) {
  return workspace(BatchNormGeometry{
      .n = g.n, .pixels = g.pixels, .c = g.c, .ghost = g.ghost, .epsilon = 0, .relu = false});
}

template <class T>
void OwnKernels<T>::compute(const GhostMoments& call) {
  const BatchNormGeometry& g = call.geometry;
  if (g.n * g.pixels * g.c == 0) return;
  auto* sums = static_cast<double*>(context_.workspace);
  with_width<T>(g.c, [&](auto width) {
    const Slices s(g.n, g.pixels, g.c, g.ghost, width());
    launch(stream(), s.grid(kSliceShared<width()>), moments_kernel<T, width()>, s, values_of(call.x), sums);
    launch(stream(), totals_grid(s), finish_moments_kernel<kAcross>, s, sums, call.mean, call.variance);
  });
}

template <class T>
void OwnKernels<T>::compute(const Normalise& call) {
  const BatchNormGeometry& g = call.geometry;
  if (g.n * g.pixels * g.c == 0) return;
  with_width<T>(takes_vectors(values_of(call.y), g) ? g.c : 1, [&](auto width) {
    const Slices s(g.n, g.pixels, g.c, g.ghost, width());
    launch(stream(), s.grid(), normalise_kernel<T, width()>, s, g, values_of(call.x), call.norm,
           values_of(call.residual), values_of(call.y), g.y_pixel());
  });
}

template <class T>
void OwnKernels<T>::compute(const GhostBatchNormBackward& call) {
  const BatchNormGeometry& g = call.geometry;
  if (g.n * g.pixels * g.c == 0) return;
  const int64_t size = g.ghosts() * g.c;
  auto* totals = static_cast<double*>(context_.workspace);
  auto* constants = reinterpret_cast<real*>(totals + 2 * size);
  double* sums = totals + 4 * size;
  const T *x = values_of(call.x), *dy = values_of(call.dy);
  const bool vectors = takes_vectors(dy, g);
  with_width<T>(g.c, [&](auto width) {
    const Slices s(g.n, g.pixels, g.c, g.ghost, width());
    launch(stream(), s.grid(kSliceShared<width()>),
           vectors ? gradient_sums_kernel<T, width(), width()> : gradient_sums_kernel<T, width(), 1>, s, g, x,
           dy, g.y_pixel(), call.norm, sums);
    launch(stream(), totals_grid(s), finish_gradients_kernel, s, g, call.norm, sums, totals, constants);
  });
  with_width<T>(vectors ? g.c : 1, [&](auto width) {
    const Slices s(g.n, g.pixels, g.c, g.ghost, width());
    launch(stream(), s.grid(), write_gradients_kernel<T, width()>, s, g, x, dy, g.y_pixel(), call.norm,
           constants, values_of(call.dx), call.write_dx);
  });
  each(stream(), 2 * g.c,
       [totals, ghosts = g.ghosts(), c = g.c, write = call.write_parameters, dshift = call.dshift,
        dscale = call.dscale, dshift_stride = call.dshift_stride,
        dscale_stride = call.dscale_stride] __device__(int64_t i) {
         const bool shift = i < c;
         add_ghosts(shift ? totals : totals + ghosts * c, ghosts, c, shift ? i : i - c, write,
                    shift ? dshift : dscale, shift ? dshift_stride : dscale_stride);
       });
}

template <class T>
void OwnKernels<T>::compute(const UpdateRunningStatistics& call) {
  const BatchNormGeometry& g = call.geometry;
  if (g.n == 0) return;
  const double count = static_cast<double>(g.ghost * g.pixels);
  const double unbiased = count > 1 ? count / (count - 1) : 0;
  each(stream(), g.c,
       [unbiased, ghosts = g.ghosts(), channels = g.c, keep = call.keep, weight = call.weight,
        mean = call.mean, variance = call.variance, running_mean = call.running_mean,
        running_variance = call.running_variance] __device__(int64_t c) {
         for (int64_t ghost = 0; ghost < ghosts; ++ghost) {
           const int64_t i = ghost * channels + c;
           running_mean[c] = static_cast<real>(keep * running_mean[c] + weight * mean[i]);
           running_variance[c] =
               static_cast<real>(keep * running_variance[c] + weight * unbiased * variance[i]);
         }
       });
}

template <class T>
void OwnKernels<T>::compute(const BiasBackward& call) {
  const BiasGeometry& g = call.geometry;
  if (g.n * g.pixels * g.c == 0) return;
  const int64_t ghosts = g.n / g.ghost;
  auto* totals = static_cast<double*>(context_.workspace);
  double* sums = totals + ghosts * g.c;
  with_width<T>(g.c, [&](auto width) {
    const Slices s(g.n, g.pixels, g.c, g.ghost, width());
    launch(stream(), s.grid(kSliceShared<width()>), bias_sums_kernel<T, width()>, s, values_of(call.dy),
           sums);
    launch(stream(), totals_grid(s), finish_bias_kernel, s, sums, totals);
  });
  each(stream(), g.c,
       [totals, ghosts, c = g.c, write = call.write, dbias = call.dbias,
        stride = call.ghost_stride] __device__(int64_t channel) {
         add_ghosts(totals, ghosts, c, channel, write, dbias, stride);
       });
}

}  // namespace crescendo::cuda
