// Pooling, compared with plain loops.
#include "cases/images.h"
#include "support/compare.h"
#include "support/tested_backend.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

// Calls f(place in x, place in y) for every pixel of every window, in order.
template <class F>
void each_pair(const Pool2dGeometry& g, const F& f) {
  for (int64_t n = 0; n < g.n; ++n)
    for (int64_t p = 0; p < g.p; ++p)
      for (int64_t q = 0; q < g.q; ++q)
        for (int64_t r = 0; r < g.r; ++r)
          for (int64_t s = 0; s < g.s; ++s) {
            const int64_t h = p * g.stride_h + r - g.pad_top, w = q * g.stride_w + s - g.pad_left;
            if (h < 0 || h >= g.h || w < 0 || w >= g.w) continue;
            for (int64_t c = 0; c < g.c; ++c)
              f(static_cast<size_t>(((n * g.h + h) * g.w + w) * g.c + c),
                static_cast<size_t>(((n * g.p + p) * g.q + q) * g.c + c));
          }
}

int64_t inputs(const Pool2dGeometry& g) { return g.n * g.h * g.w * g.c; }
int64_t outputs(const Pool2dGeometry& g) { return g.n * g.p * g.q * g.c; }

// Returns the weight of an input in each output of average pooling.
std::vector<double> shares(const Pool2dGeometry& g) {
  std::vector<double> pixels(static_cast<size_t>(outputs(g)));
  each_pair(g, [&](size_t, size_t at) { ++pixels[at]; });
  for (double& v : pixels) v = 1 / (g.count_padding ? static_cast<double>(g.r * g.s) : v);
  return pixels;
}

}  // namespace

TEST_CASE("max pooling finds the first of the largest and sends the gradient there") {
  const auto backend = tested_backend(2);
  for (const auto& test : pool2d_cases()) {
    CAPTURE(test.name);
    const auto& g = test.geometry;
    std::vector<real> x = noise(inputs(g), 1);
    for (real& v : x) v = std::floor(v * 4);  // many ties
    const std::vector<real> dy = noise(outputs(g), 2);
    std::vector<real> expected(dy.size(), -100);
    std::vector<size_t> source(dy.size());
    each_pair(g, [&](size_t i, size_t at) {
      if (x[i] > expected[at]) {
        expected[at] = x[i];
        source[at] = i;
      }
    });
    std::vector<int32_t> expected_winners;
    std::vector<double> dx(x.size());
    for (size_t at = 0; at < dy.size(); ++at) {
      expected_winners.push_back(static_cast<int32_t>(source[at] / static_cast<size_t>(g.c)) %
                                 static_cast<int32_t>(g.h * g.w));
      dx[source[at]] += static_cast<double>(dy[at]);
    }
    const Buffer<real> x_buffer(*backend, x), dy_buffer(*backend, dy);
    Buffer<real> y(*backend, poison(outputs(g)));
    Buffer<int32_t> winners(*backend, std::vector<int32_t>(dy.size(), -1));
    run(*backend, MaxPool2dForward{.geometry = g, .x = x_buffer, .y = y, .winners = winners});
    check_same_bits(y.values(), expected);
    check_same_bits(winners.values(), expected_winners);
    check_both_writes(*backend, dx, sum_tolerance(g.r * g.s, 1), [&](activation* to, Write write) {
      return MaxPool2dBackward{.geometry = g, .dy = dy_buffer, .winners = winners, .dx = to, .write = write};
    });
  }
}

TEST_CASE("max pooling into a slice of channels has the bits of max pooling alone") {
  const auto backend = tested_backend(2);
  for (const auto& test : pool2d_cases()) {
    CAPTURE(test.name);
    const auto& g = test.geometry;
    Pool2dGeometry wide = g;
    wide.y_channels = g.c + 5;
    constexpr int64_t kFirst = 3;
    const std::vector<real> dy = noise(outputs(g), 2), around = noise(g.n * g.p * g.q * wide.y_channels, 3);
    const Buffer<real> x(*backend, noise(inputs(g), 1)), dy_buffer(*backend, dy),
        wide_dy(*backend, with_channels(around, wide.y_channels, kFirst, dy, g.c));
    Buffer<real> y(*backend, poison(outputs(g))), wide_y(*backend, around), dx(*backend, poison(inputs(g))),
        wide_dx(*backend, poison(inputs(g)));
    Buffer<int32_t> winners(*backend, std::vector<int32_t>(dy.size(), -1)),
        wide_winners(*backend, std::vector<int32_t>(dy.size(), -1));
    run(*backend, MaxPool2dForward{.geometry = g, .x = x, .y = y, .winners = winners});
    run(*backend,
        MaxPool2dForward{.geometry = wide, .x = x, .y = wide_y.at(kFirst), .winners = wide_winners});
    check_same_bits(wide_y.values(), with_channels(around, wide.y_channels, kFirst, y.values(), g.c));
    check_same_bits(wide_winners.values(), winners.values());
    run(*backend,
        MaxPool2dBackward{
            .geometry = g, .dy = dy_buffer, .winners = winners, .dx = dx, .write = Write::overwrite});
    run(*backend, MaxPool2dBackward{.geometry = wide,
                                    .dy = wide_dy.at(kFirst),
                                    .winners = winners,
                                    .dx = wide_dx,
                                    .write = Write::overwrite});
    check_same_bits(wide_dx.values(), dx.values());
  }
}

TEST_CASE("in max pooling the first NaN wins") {
  const Pool2dGeometry g{1, 1, 4, 1, 1, 1, 1, 4, 1, 1, 0, 0, true};
  const real nan = std::numeric_limits<real>::quiet_NaN();
  const auto backend = tested_backend(1);
  const Buffer<real> x(*backend, {real{1}, nan, real{2}, nan});
  Buffer<real> y(*backend, {real{0}});
  Buffer<int32_t> winner(*backend, {-1});
  run(*backend, MaxPool2dForward{.geometry = g, .x = x, .y = y, .winners = winner});
  CHECK(std::isnan(y.values()[0]));
  CHECK(winner.values()[0] == 1);
}

TEST_CASE("average pooling and its gradient") {
  const auto backend = tested_backend(2);
  for (const auto& test : pool2d_cases()) {
    CAPTURE(test.name);
    const auto& g = test.geometry;
    const std::vector<real> x = noise(inputs(g), 1), dy = noise(outputs(g), 2);
    const std::vector<double> share = shares(g);
    std::vector<double> expected(dy.size()), dx(x.size());
    each_pair(g, [&](size_t i, size_t at) {
      expected[at] += static_cast<double>(x[i]) * share[at];
      dx[i] += static_cast<double>(dy[at]) * share[at];
    });
    const Buffer<real> x_buffer(*backend, x), dy_buffer(*backend, dy);
    Buffer<real> y(*backend, poison(outputs(g)));
    run(*backend, AveragePool2dForward{.geometry = g, .x = x_buffer, .y = y});
    check_close(y.values(), expected, sum_tolerance(g.r * g.s, 1));
    check_both_writes(*backend, dx, sum_tolerance(g.r * g.s, 1), [&](activation* to, Write write) {
      return AveragePool2dBackward{.geometry = g, .dy = dy_buffer, .dx = to, .write = write};
    });
  }
}
