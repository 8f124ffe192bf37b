// Ghost batch norm (docs/derivations/ghost_batch_norm.md), and the bias gradient, which is a sum of the same
// shape. Sums run over the pixels of one image, then over the images of a ghost, then over ghosts, always in
// order and, within a ghost, in double. With v = (x - mean) * inverse, g = dy where the ReLU let y through, m
// = ghost * pixels:
//   dshift = sum g        dscale = sum g v        dx = scale * inverse * (g - (dshift + v * dscale) / m)
#include <cmath>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/pointwise.h"

namespace crescendo {

namespace {

// sums[c] = terms added over the pixels of an image: term(place of the element, channel).
template <class Term>
void sum_pixels(int64_t pixels, int64_t channels, double* sums, const Term& term) {
  std::fill(sums, sums + channels, 0.0);
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t c = 0; c < channels; ++c) sums[c] += term(pixel * channels + c, c);
}

double inverse_of(const BatchNormGeometry& g, real variance) {
  return 1 / std::sqrt(static_cast<double>(variance) + g.epsilon);
}

// The total of `count` consecutive rows' element c.
double total(const double* rows, int64_t count, int64_t stride, int64_t c) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += rows[i * stride + c];
  return sum;
}

// Adds each ghost's total, in order, to a parameter's gradient.
void add_ghosts(const double* images, int64_t ghosts, int64_t ghost, int64_t stride, int64_t c,
                real* gradient, Write write) {
  for (int64_t i = 0; i < ghosts; ++i) {
    const real sum = static_cast<real>(total(images + i * ghost * stride, ghost, stride, c));
    *gradient = i == 0 && write == Write::overwrite ? sum : *gradient + sum;
  }
}

}  // namespace

// Two rows of sums an image, two rows of totals a ghost, and there are no more ghosts than images.
size_t CpuBackend::workspace(const BatchNormGeometry& g) const {
  return static_cast<size_t>(4 * g.n * g.c) * sizeof(double);
}

size_t CpuBackend::workspace(const BiasGeometry& g) const {
  return static_cast<size_t>(g.n * g.c) * sizeof(double);
}

void CpuBackend::ghost_batch_norm_forward(const BatchNormGeometry& g, const activation* x, const real* scale,
                                          const real* shift, real* mean, real* variance, activation* y) {
  if (g.n * g.pixels * g.c == 0) return;
  const real* from = values_of(x);
  const int64_t image_size = g.pixels * g.c;
  const double count = static_cast<double>(g.ghost * g.pixels);
  double* sums = workspace_as<double>();
  const auto reduce = [&](real* statistic, const auto& term) {
    parallel_for(g.n, [&](int64_t image, int) {
      const int64_t row = image / g.ghost * g.c;
      sum_pixels(g.pixels, g.c, sums + image * g.c, [&](int64_t i, int64_t c) {
        return term(static_cast<double>(from[image * image_size + i]), row + c);
      });
    });
    for (int64_t ghost = 0; ghost < g.ghosts(); ++ghost)
      for (int64_t c = 0; c < g.c; ++c)
        statistic[ghost * g.c + c] =
            static_cast<real>(total(sums + ghost * g.ghost * g.c, g.ghost, g.c, c) / count);
  };
  reduce(mean, [](double v, int64_t) { return v; });
  reduce(variance, [=](double v, int64_t at) { return (v - mean[at]) * (v - mean[at]); });
  normalise(g, g.ghost, x, scale, shift, mean, variance, y);
}

void CpuBackend::batch_norm_inference(const BatchNormGeometry& g, const activation* x, const real* scale,
                                      const real* shift, const real* running_mean,
                                      const real* running_variance, activation* y) {
  if (g.n * g.pixels * g.c == 0) return;
  normalise(g, g.n, x, scale, shift, running_mean, running_variance, y);
}

// y = act((x - mean) * (scale * inverse) + shift), each run of `group` images by statistics of its own.
void CpuBackend::normalise(const BatchNormGeometry& g, int64_t group, const activation* x, const real* scale,
                           const real* shift, const real* mean, const real* variance, activation* y) {
  parallel_for(g.n, [&](int64_t image, int) {
    const int64_t row = image / group * g.c, begin = image * g.pixels * g.c;
    real* factor = workspace_as<real>() + image * g.c;
    for (int64_t c = 0; c < g.c; ++c)
      factor[c] = static_cast<real>(static_cast<double>(scale[c]) * inverse_of(g, variance[row + c]));
    for (int64_t pixel = 0; pixel < g.pixels; ++pixel) {
      const real* from = values_of(x) + begin + pixel * g.c;
      real* to = values_of(y) + begin + pixel * g.c;
      for (int64_t c = 0; c < g.c; ++c) {
        const real v = (from[c] - mean[row + c]) * factor[c] + shift[c];
        to[c] = g.relu ? relu_of(v) : v;
      }
    }
  });
}

void CpuBackend::ghost_batch_norm_backward(const BatchNormGeometry& g, const activation* x,
                                           const activation* dy, const real* scale, const real* shift,
                                           const real* mean, const real* variance, activation* dx,
                                           Write write_dx, real* dscale, real* dshift,
                                           Write write_parameters) {
  if (g.n * g.pixels * g.c == 0) return;
  const double count = static_cast<double>(g.ghost * g.pixels);
  double* sums = workspace_as<double>();  // [n, 2, c]: sum of g, sum of g v
  double* totals = sums + 2 * g.n * g.c;  // [ghosts, 2, c]
  // g and v of one element; the mask is that of the forward pass, recomputed.
  const auto gradient = [&](real dyi, real v, int64_t c) {
    return g.relu && v * scale[c] + shift[c] <= 0 ? real{0} : dyi;
  };
  parallel_for(g.n, [&](int64_t image, int) {
    const int64_t row = image / g.ghost * g.c, begin = image * g.pixels * g.c;
    double* sum = sums + image * 2 * g.c;
    std::fill(sum, sum + 2 * g.c, 0.0);
    for (int64_t c = 0; c < g.c; ++c) {
      const real inverse = static_cast<real>(inverse_of(g, variance[row + c]));
      for (int64_t pixel = 0; pixel < g.pixels; ++pixel) {
        const int64_t i = begin + pixel * g.c + c;
        const real v = (values_of(x)[i] - mean[row + c]) * inverse;
        const real d = gradient(values_of(dy)[i], v, c);
        sum[c] += d;
        sum[g.c + c] += static_cast<double>(d) * static_cast<double>(v);
      }
    }
  });
  for (int64_t ghost = 0; ghost < g.ghosts(); ++ghost)
    for (int64_t c = 0; c < 2 * g.c; ++c)
      totals[ghost * 2 * g.c + c] = total(sums + ghost * g.ghost * 2 * g.c, g.ghost, 2 * g.c, c);
  for (int64_t c = 0; c < g.c; ++c) {
    add_ghosts(sums + c, g.ghosts(), g.ghost, 2 * g.c, 0, dshift + c, write_parameters);
    add_ghosts(sums + g.c + c, g.ghosts(), g.ghost, 2 * g.c, 0, dscale + c, write_parameters);
  }
  parallel_for(g.n, [&](int64_t image, int) {
    const int64_t ghost = image / g.ghost, row = ghost * g.c, begin = image * g.pixels * g.c;
    const double* sum = totals + ghost * 2 * g.c;
    for (int64_t c = 0; c < g.c; ++c) {
      const double inverse_double = inverse_of(g, variance[row + c]);
      const real inverse = static_cast<real>(inverse_double);
      const real factor = static_cast<real>(static_cast<double>(scale[c]) * inverse_double);
      const real mean_g = static_cast<real>(sum[c] / count),
                 mean_gv = static_cast<real>(sum[g.c + c] / count);
      for (int64_t pixel = 0; pixel < g.pixels; ++pixel) {
        const int64_t i = begin + pixel * g.c + c;
        const real v = (values_of(x)[i] - mean[row + c]) * inverse;
        const real d = factor * (gradient(values_of(dy)[i], v, c) - (mean_g + v * mean_gv));
        real* to = values_of(dx) + i;
        *to = write_dx == Write::add ? *to + d : d;
      }
    }
  });
}

void CpuBackend::update_running_statistics(const BatchNormGeometry& g, double keep, double weight,
                                           const real* mean, const real* variance, real* running_mean,
                                           real* running_variance) {
  const double count = static_cast<double>(g.ghost * g.pixels);
  const double unbiased = count > 1 ? count / (count - 1) : 0;
  for (int64_t ghost = 0; ghost < (g.n == 0 ? 0 : g.ghosts()); ++ghost)
    for (int64_t c = 0; c < g.c; ++c) {
      const int64_t i = ghost * g.c + c;
      running_mean[c] = static_cast<real>(keep * running_mean[c] + weight * mean[i]);
      running_variance[c] = static_cast<real>(keep * running_variance[c] + weight * unbiased * variance[i]);
    }
}

void CpuBackend::bias_backward(const BiasGeometry& g, const activation* dy, real* dbias, Write write) {
  if (g.n * g.pixels * g.c == 0) return;
  double* sums = workspace_as<double>();
  parallel_for(g.n, [&](int64_t image, int) {
    const real* from = values_of(dy) + image * g.pixels * g.c;
    sum_pixels(g.pixels, g.c, sums + image * g.c,
               [=](int64_t i, int64_t) { return static_cast<double>(from[i]); });
  });
  for (int64_t c = 0; c < g.c; ++c) add_ghosts(sums, g.n / g.ghost, g.ghost, g.c, c, dbias + c, write);
}

}  // namespace crescendo
