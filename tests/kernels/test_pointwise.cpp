// Pointwise kernels, copies of channels, and reductions over whole arrays.
#include "cases/images.h"
#include "support/compare.h"
#include "support/counters.h"
#include "support/tested_backend.h"

using namespace crescendo;
using namespace crescendo::test;

namespace {

// Returns f of each pair of elements of a and b, in double.
template <class F>
std::vector<double> map(const std::vector<real>& a, const std::vector<real>& b, const F& f) {
  std::vector<double> result;
  for (size_t i = 0; i < a.size(); ++i)
    result.push_back(f(static_cast<double>(a[i]), static_cast<double>(b[i])));
  return result;
}

}  // namespace

TEST_CASE("relu, scale and scale_add") {
  const auto backend = tested_backend(2);
  const double tolerance = sum_tolerance(1, 2);
  for (const int64_t n : lengths()) {
    CAPTURE(n);
    const std::vector<real> a = noise(n, 1), b = noise(n, 2);
    const Buffer<real> a_buffer(*backend, a), b_buffer(*backend, b);
    Buffer<real> y(*backend, poison(n));
    run(*backend, ReluForward{.n = n, .x = a_buffer, .y = y});
    check_close(y.values(), map(a, b, [](double u, double) { return std::max(u, 0.0); }), 0);
    check_both_writes(*backend, map(a, b, [](double u, double v) { return u > 0 ? v : 0; }), tolerance,
                      [&](activation* dx, Write write) {
                        return ReluBackward{.n = n, .y = y, .dy = b_buffer, .dx = dx, .write = write};
                      });
    Buffer<real> sum(*backend, poison(n));
    run(*backend, ScaleAdd{.n = n, .a = a_buffer, .factor = -0.3, .b = b_buffer, .y = sum});
    check_close(sum.values(), map(a, b, [](double u, double v) { return u - 0.3 * v; }), tolerance);
    check_both_writes(*backend, map(a, b, [](double u, double) { return 0.17 * u; }), tolerance,
                      [&](activation* to, Write write) {
                        return Scale{.n = n, .factor = 0.17, .x = a_buffer, .y = to, .write = write};
                      });
  }
}

TEST_CASE("relu lets NaN through") {
  const auto backend = tested_backend(1);
  const Buffer<real> x(*backend, poison(3));
  Buffer<real> y(*backend, noise(3, 1));
  run(*backend, ReluForward{.n = 3, .x = x, .y = y});
  for (const real v : y.values()) CHECK(std::isnan(v));
}

TEST_CASE("copy_channels moves a slice and touches nothing else") {
  const auto backend = tested_backend(2);
  for (const ChannelSlice& g :
       {ChannelSlice{5, 3, 7, 2, 9, 6}, ChannelSlice{1, 1, 1, 0, 1, 0}, ChannelSlice{5000, 2, 3, 1, 2, 0},
        ChannelSlice{0, 3, 7, 2, 9, 6}, ChannelSlice{3, 33, 33, 0, 64, 31}}) {
    CAPTURE(g.rows);
    CAPTURE(g.count);
    const std::vector<real> from = noise(g.rows * g.from_channels, 1),
                            before = noise(g.rows * g.to_channels, 2);
    for (const Write write : {Write::overwrite, Write::add}) {
      std::vector<real> expected = before;
      for (int64_t row = 0; row < g.rows; ++row)
        for (int64_t i = 0; i < g.count; ++i) {
          const real v = from[static_cast<size_t>(row * g.from_channels + g.from_offset + i)];
          real& to = expected[static_cast<size_t>(row * g.to_channels + g.to_offset + i)];
          to = write == Write::add ? to + v : v;
        }
      const Buffer<real> source(*backend, from);
      Buffer<real> target(*backend, before);
      run(*backend, CopyChannels{.geometry = g, .from = source, .to = target, .write = write});
      check_same_bits(target.values(), expected);
    }
  }
}

TEST_CASE("operands may begin at any element") {
  const auto backend = tested_backend(1);
  constexpr int64_t kCount = 37;
  const std::vector<real> a = noise(kCount + 3, 1), b = noise(kCount + 3, 2);
  for (const int64_t offset : {0, 1, 2, 3}) {
    CAPTURE(offset);
    const Buffer<real> first(*backend, a), second(*backend, b);
    Buffer<real> sum(*backend, std::vector<real>(kCount + 3, -1)), blended(*backend, b);
    run(*backend, ScaleAdd{.n = kCount,
                           .a = first.at(offset),
                           .factor = 2,
                           .b = second.at(3 - offset),
                           .y = sum.at(offset)});
    run(*backend,
        Blend{.n = kCount, .keep = 0.5, .weight = 0.25, .from = first, .to = blended.data() + offset});
    std::vector<double> expected(kCount + 3, -1), expected_blend(b.begin(), b.end());
    for (int64_t i = 0; i < kCount; ++i) {
      const auto at = static_cast<size_t>(i + offset), other = static_cast<size_t>(i + 3 - offset);
      expected[at] = static_cast<double>(a[at]) + 2 * static_cast<double>(b[other]);
      expected_blend[at] = 0.5 * expected_blend[at] + 0.25 * static_cast<double>(a[static_cast<size_t>(i)]);
    }
    check_close(sum.values(), expected, sum_tolerance(1, 4));
    check_close(blended.values(), expected_blend, sum_tolerance(1, 1));
  }
}

TEST_CASE("dropout keeps the right share, scales it, and does not depend on the micro-batch") {
  const auto backend = tested_backend(2);
  const DropoutGeometry g{.n = 8, .elements = 1001, .key = 42, .layer = 3, .keep = 0.8};
  const int64_t first = (int64_t{1} << 32) - 4;
  const std::vector<real> ones(static_cast<size_t>(g.n * g.elements), 1);
  const auto dropped = [&](const DropoutGeometry& geometry, int64_t position) {
    const Counters<StepCounters> counters(*backend, {.position = position});
    const Buffer<real> x(*backend,
                         std::vector<real>(ones.begin(), ones.begin() + geometry.n * geometry.elements));
    Buffer<real> y(*backend, poison(geometry.n * geometry.elements));
    run(*backend,
        Dropout{.geometry = geometry, .counters = counters, .x = x, .y = y, .write = Write::overwrite});
    return y.values();
  };
  const std::vector<real> whole = dropped(g, first);
  int64_t kept = 0;
  for (const real v : whole) {
    CHECK((v == 0 || v == doctest::Approx(1.25)));
    kept += v != 0 ? 1 : 0;
  }
  // For random keys, a binomial count is off by more than five standard deviations once in two million times.
  const double n = static_cast<double>(whole.size());
  CHECK(std::abs(static_cast<double>(kept) - 0.8 * n) < 5 * std::sqrt(n * 0.8 * 0.2));

  DropoutGeometry half = g;
  half.n = 4;
  check_same_bits(dropped(half, first + 4), std::vector<real>(whole.begin() + 4 * g.elements, whole.end()));

  DropoutGeometry other = g;
  other.layer = 4;
  CHECK(dropped(other, first) != whole);
  other = g;
  other.key = 43;
  CHECK(dropped(other, first) != whole);
  other = g;
  other.keep = 1;
  check_same_bits(dropped(other, first), ones);
}

TEST_CASE("dropout's gradient has the mask of the forward pass") {
  const auto backend = tested_backend(1);
  const DropoutGeometry g{.n = 3, .elements = 7, .key = 1, .layer = 0, .keep = 0.5};
  const std::vector<real> x = noise(21, 1);
  const Buffer<real> ones(*backend, std::vector<real>(21, 1)), x_buffer(*backend, x);
  Buffer<real> mask(*backend, poison(21));
  run(*backend, Dropout{.geometry = g, .counters = nullptr, .x = ones, .y = mask, .write = Write::overwrite});
  check_both_writes(*backend, map(x, mask.values(), [](double u, double v) { return u * v; }),
                    sum_tolerance(1, 2), [&](activation* dx, Write write) {
                      return Dropout{
                          .geometry = g, .counters = nullptr, .x = x_buffer, .y = dx, .write = write};
                    });
}

TEST_CASE("fill and blend") {
  const auto backend = tested_backend(2);
  for (const int64_t n : lengths()) {
    const std::vector<real> from = noise(n, 1), before = noise(n, 2);
    const Buffer<real> source(*backend, from);
    Buffer<real> filled(*backend, poison(n)), filled_activations(*backend, poison(n)),
        blended(*backend, before);
    run(*backend, Fill{.n = n, .value = 0.5, .to = filled});
    run(*backend, FillActivations{.n = n, .value = -0.5, .to = filled_activations});
    check_same_bits(filled.values(), std::vector<real>(static_cast<size_t>(n), real{0.5}));
    check_same_bits(filled_activations.values(), std::vector<real>(static_cast<size_t>(n), real{-0.5}));
    run(*backend, Blend{.n = n, .keep = 0.9, .weight = 0.1, .from = source, .to = blended});
    check_close(blended.values(), map(before, from, [](double u, double v) { return 0.9 * u + 0.1 * v; }),
                sum_tolerance(1, 1));
  }
}

TEST_CASE("activations travel between host and backend") {
  const auto backend = tested_backend(2);
  const std::vector<real> values = noise(5000, 1);
  const std::vector<float> host(values.begin(), values.end());
  Buffer<real> memory(*backend, poison(5000));
  backend->upload_activations(5000, host.data(), memory);
  std::vector<real> back(5000);
  backend->download_activations(5000, memory, back.data());
  check_same_bits(back, values);
}

TEST_CASE("memory is aligned, and asking for too much throws") {
  const auto backend = tested_backend(1);
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{4096}}) {
    void* block = backend->allocate(bytes);
    CHECK(reinterpret_cast<uintptr_t>(block) % 64 == 0);
    backend->release(block, bytes);
  }
  CHECK_THROWS_AS(backend->allocate(std::numeric_limits<size_t>::max()), std::bad_alloc);
}
