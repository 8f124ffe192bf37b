// Convolution and its gradients by their definitions, in double.
#pragma once

#include <vector>

#include "kernels/geometry.h"
#include "kernels/real.h"

namespace crescendo::test {

// Calls f(place in x, place in weight, place in y) for every product of the convolution.
template <class F>
void each_product(const Conv2dGeometry& g, const F& f) {
  for (int64_t n = 0; n < g.n; ++n)
    for (int64_t p = 0; p < g.p; ++p)
      for (int64_t q = 0; q < g.q; ++q)
        for (int64_t r = 0; r < g.r; ++r)
          for (int64_t s = 0; s < g.s; ++s) {
            const int64_t h = p * g.stride_h + r - g.pad_top, w = q * g.stride_w + s - g.pad_left;
            if (h < 0 || h >= g.h || w < 0 || w >= g.w) continue;
            for (int64_t k = 0; k < g.k; ++k)
              for (int64_t c = 0; c < g.c; ++c)
                f(static_cast<size_t>(((n * g.h + h) * g.w + w) * g.c + c),
                  static_cast<size_t>(((k * g.r + r) * g.s + s) * g.c + c),
                  static_cast<size_t>(((n * g.p + p) * g.q + q) * g.k + k));
          }
}

struct Conv2dSizes {
  int64_t x, weight, y;
  explicit Conv2dSizes(const Conv2dGeometry& g)
      : x(g.n * g.h * g.w * g.c), weight(g.k * g.r * g.s * g.c), y(g.n * g.p * g.q * g.k) {}
};

// Returns y [n,p,q,k]; `bias` is [k] or empty.
inline std::vector<double> conv2d_reference(const Conv2dGeometry& g, const std::vector<real>& x,
                                            const std::vector<real>& weight, const std::vector<real>& bias) {
  std::vector<double> y(static_cast<size_t>(Conv2dSizes(g).y));
  for (size_t i = 0; i < y.size() && !bias.empty(); ++i) y[i] = static_cast<double>(bias[i % bias.size()]);
  each_product(g, [&](size_t i, size_t j, size_t at) {
    y[at] += static_cast<double>(x[i]) * static_cast<double>(weight[j]);
  });
  return y;
}

inline std::vector<double> conv2d_data_gradient(const Conv2dGeometry& g, const std::vector<real>& dy,
                                                const std::vector<real>& weight) {
  std::vector<double> dx(static_cast<size_t>(Conv2dSizes(g).x));
  each_product(g, [&](size_t i, size_t j, size_t at) {
    dx[i] += static_cast<double>(dy[at]) * static_cast<double>(weight[j]);
  });
  return dx;
}

inline std::vector<double> conv2d_weight_gradient(const Conv2dGeometry& g, const std::vector<real>& x,
                                                  const std::vector<real>& dy) {
  std::vector<double> dweight(static_cast<size_t>(Conv2dSizes(g).weight));
  each_product(g, [&](size_t i, size_t j, size_t at) {
    dweight[j] += static_cast<double>(x[i]) * static_cast<double>(dy[at]);
  });
  return dweight;
}

}  // namespace crescendo::test
