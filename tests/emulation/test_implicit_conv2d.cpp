// Our own convolutions (implicit_conv2d.h): properties that the tests for all backends do not check.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "cases/conv2d.h"
#include "emulation/emulated_backend.h"
#include "kernels/cuda/convolution_taps.h"
#include "kernels/cuda/convolve.cuh"
#include "kernels/cuda/weight_gradient.cuh"
#include "support/activations.h"
#include "support/reference_conv2d.h"

namespace crescendo::test {
namespace {

bf16* values_of(Activations& x) { return reinterpret_cast<bf16*>(x.at(0)); }

// The number of times that each product (input pixel, filter tap, output pixel) is met along one axis.
using Products = std::map<std::array<int, 3>, int>;

Products forward_products(const cuda::TapAxis& axis) {
  Products products;
  for (int i = 0; i < axis.pixels; ++i)
    for (int t = 0; t < axis.taps; ++t) {
      const int source = axis.source_of(i) + t * axis.tap_step;
      if (source >= 0 && source < axis.source)
        ++products[{source, axis.filter_first + t * axis.filter_step, axis.place_of(i)}];
    }
  return products;
}

// A ghost of several tiles, in several columns of blocks of either width.
Conv2dGeometry several_tiles() { return convolution(4, 25, 23, 128, 128, 3, 3, 2, 2, {1, 1, 1, 1}, 2); }

struct Problem {
  EmulatedBackend<bf16> backend{emulation::Schedule::shuffled, ConvolutionAlgorithm::own};
  Conv2dGeometry g;
  BatchNormGeometry norm;
  Activations x, weight, dy;
  Buffer<real> scale, shift, mean, variance;

  explicit Problem(const Conv2dGeometry& geometry)
      : g(geometry),
        norm{.n = g.n, .pixels = g.h * g.w, .c = g.c, .ghost = g.ghost, .epsilon = 1e-3, .relu = true},
        x(backend, noise(Conv2dSizes(g).x, 1)),
        weight(backend, noise(Conv2dSizes(g).weight, 2)),
        dy(backend, noise(Conv2dSizes(g).y, 3)),
        scale(backend, noise(g.c, 4)),
        shift(backend, noise(g.c, 5)),
        mean(backend, poison(norm.ghosts() * g.c)),
        variance(backend, poison(norm.ghosts() * g.c)) {
    run(backend, GhostMoments{.geometry = norm, .x = x, .mean = mean, .variance = variance});
  }
  NormOperands operands() const { return {scale, shift, mean, variance}; }
};

// A pass by blocks of so many channels, with the sums for moments where it is the forward one.
template <cuda::Direction direction, int Columns, bool Normalise>
Results convolve(Problem& problem) {
  constexpr bool kForward = direction == cuda::Direction::forward;
  const Conv2dGeometry& g = problem.g;
  const auto count =
      static_cast<size_t>(2 * g.k * g.n / g.ghost * cuda::pixel_tiles(g, cuda::forward_taps(g)));
  std::vector<double> sums(kForward ? count : 0);
  Activations to(problem.backend, poison(kForward ? Conv2dSizes(g).y : Conv2dSizes(g).x));
  cuda::launch_convolve<direction, Columns, Normalise>(nullptr, {g,
                                                                 values_of(kForward ? problem.x : problem.dy),
                                                                 values_of(problem.weight),
                                                                 {problem.norm, problem.operands()},
                                                                 nullptr,
                                                                 values_of(to),
                                                                 kForward ? sums.data() : nullptr});
  return {to.values(), std::vector<real>(sums.begin(), sums.end())};
}

}  // namespace

TEST_CASE("axes name every product of a convolution once, forward and by the parity of the input") {
  for (const auto& test : conv2d_cases()) {
    CAPTURE(test.name);
    const Conv2dGeometry& g = test.geometry;
    Products expected;
    for (int64_t p = 0; p < g.p; ++p)
      for (int64_t r = 0; r < g.r; ++r) {
        const int64_t h = p * g.stride_h + r - g.pad_top;
        if (h >= 0 && h < g.h) ++expected[{static_cast<int>(h), static_cast<int>(r), static_cast<int>(p)}];
      }
    CHECK(forward_products(cuda::forward_axis(g.h, g.p, g.r, g.stride_h, g.pad_top)) == expected);

    Products backward;
    int64_t places = 0;
    for (int64_t parity = 0; parity < g.stride_h; ++parity) {
      const cuda::TapAxis axis = cuda::backward_axis(g.h, g.p, g.r, g.stride_h, g.pad_top, parity);
      places += axis.pixels;
      for (const auto& [product, times] : forward_products(axis))
        backward[{product[2], product[1], product[0]}] += times;
    }
    CHECK(backward == expected);
    CHECK(places == g.h);
  }
}

TEST_CASE_TEMPLATE("a tile has a place for every chunk, and eight rows' in different banks", Tile,
                   cuda::OperandTile<128, true>, cuda::OperandTile<64, true>, cuda::OperandTile<64, false>,
                   cuda::OperandTile<128, false>) {
  std::set<int> places;
  for (int row = 0; row < Tile::kRows; ++row)
    for (int chunk = 0; chunk < Tile::kRowChunks; ++chunk) places.insert(Tile::place(row, chunk));
  CHECK(static_cast<int>(places.size()) == Tile::kChunks);
  CHECK(*places.begin() == 0);
  CHECK(*places.rbegin() == Tile::kChunks - 1);
  for (int first = 0; first < Tile::kRows; first += 8)
    for (int chunk = 0; chunk < Tile::kRowChunks; ++chunk) {
      std::set<int> banks;  // groups of four, 16 bytes wide
      for (int row = first; row < first + 8; ++row) banks.insert(Tile::place(row, chunk) % 8);
      CHECK(banks.size() == 8);
    }
}

TEST_CASE("blocks of 64 and of 128 channels give equal bits") {
  using enum cuda::Direction;
  Problem problem(several_tiles());
  check_same_bits(convolve<forward, 128, false>(problem), convolve<forward, 64, false>(problem));
  check_same_bits(convolve<forward, 128, true>(problem), convolve<forward, 64, true>(problem));
  check_same_bits(convolve<backward_data, 128, false>(problem), convolve<backward_data, 64, false>(problem));
}

TEST_CASE("a norm on the way in gives the bits of one that is stored") {
  Problem problem(convolution(4, 7, 6, 40, 24, 3, 3, 1, 1, {1, 1, 1, 1}, 2));
  const Conv2dGeometry& g = problem.g;
  Backend& backend = problem.backend;
  Activations stored(backend, poison(Conv2dSizes(g).x)), y(backend, poison(Conv2dSizes(g).y)),
      fused_y(backend, poison(Conv2dSizes(g).y));
  Buffer<real> dweight(backend, poison(Conv2dSizes(g).weight)),
      fused_dweight(backend, poison(Conv2dSizes(g).weight));
  run(backend, Normalise{.geometry = problem.norm,
                         .x = problem.x,
                         .norm = problem.operands(),
                         .residual = nullptr,
                         .y = stored});
  run(backend, Conv2dForward{.geometry = g, .x = stored, .weight = {problem.weight}, .y = y});
  run(backend,
      Conv2dBackwardWeight{
          .geometry = g, .x = stored, .dy = problem.dy, .dweight = dweight, .write = Write::overwrite});
  run(backend, NormConv2dForward{.geometry = g,
                                 .norm_geometry = problem.norm,
                                 .x = problem.x,
                                 .norm = problem.operands(),
                                 .weight = problem.weight,
                                 .residual = nullptr,
                                 .y = fused_y,
                                 .y_mean = nullptr,
                                 .y_variance = nullptr});
  run(backend, NormConv2dBackwardWeight{.geometry = g,
                                        .norm_geometry = problem.norm,
                                        .x = problem.x,
                                        .norm = problem.operands(),
                                        .dy = problem.dy,
                                        .dweight = fused_dweight,
                                        .write = Write::overwrite});
  check_same_bits(fused_y.values(), y.values());
  check_same_bits(fused_dweight.values(), dweight.values());
}

TEST_CASE("an infinite pixel reaches the outputs whose filter meets it, and no others") {
  // 72 values are summed in steps of 32:
  // what fills the last one up must not be another row of pixels times 0.
  Problem problem(convolution(1, 8, 8, 8, 8, 3, 3, 1, 1, {1, 1, 1, 1}, 1));
  const Conv2dGeometry& g = problem.g;
  std::vector<real> x = problem.x.values();
  constexpr int64_t kRow = 4;
  for (int64_t i = 0; i < g.w * g.c; ++i)
    x[static_cast<size_t>(kRow * g.w * g.c + i)] = std::numeric_limits<real>::infinity();
  const Activations infinite(problem.backend, x);
  Activations y(problem.backend, poison(Conv2dSizes(g).y));
  run(problem.backend, Conv2dForward{.geometry = g, .x = infinite, .weight = {problem.weight}, .y = y});
  const std::vector<real> values = y.values();
  for (int64_t i = 0; i < Conv2dSizes(g).y; ++i)
    CHECK(std::isfinite(values[static_cast<size_t>(i)]) == (std::abs(i / (g.q * g.k) - kRow) > 1));
}

TEST_CASE("weight gradients of more ghosts than the workspace holds at once are added in the same order") {
  Problem problem(convolution(11, 4, 3, 8, 8, 3, 3, 1, 1, {1, 1, 1, 1}, 1));
  Backend& backend = problem.backend;
  const int64_t size = Conv2dSizes(problem.g).weight;
  const auto gradients = [&](int64_t first, int64_t images, Write write, real* dweight, real* fused) {
    Conv2dGeometry g = problem.g;
    BatchNormGeometry norm = problem.norm;
    g.n = norm.n = images;
    const NormOperands operands{problem.scale, problem.shift, problem.mean.data() + first * g.c,
                                problem.variance.data() + first * g.c};
    const activation* x = problem.x.at(first * g.h * g.w * g.c);
    const activation* dy = problem.dy.at(first * g.p * g.q * g.k);
    run(backend, Conv2dBackwardWeight{.geometry = g, .x = x, .dy = dy, .dweight = dweight, .write = write});
    run(backend, NormConv2dBackwardWeight{.geometry = g,
                                          .norm_geometry = norm,
                                          .x = x,
                                          .norm = operands,
                                          .dy = dy,
                                          .dweight = fused,
                                          .write = write});
  };
  Buffer<real> at_once(backend, poison(size)), fused_at_once(backend, poison(size)),
      one_by_one(backend, poison(size)), fused_one_by_one(backend, poison(size));
  gradients(0, problem.g.n, Write::overwrite, at_once, fused_at_once);
  for (int64_t image = 0; image < problem.g.n; ++image)
    gradients(image, 1, image == 0 ? Write::overwrite : Write::add, one_by_one, fused_one_by_one);
  check_same_bits(at_once.values(), one_by_one.values());
  check_same_bits(fused_at_once.values(), fused_one_by_one.values());
}

TEST_CASE("slices of a weight gradient cover a ghost's pixels, whatever the number of ghosts") {
  for (const int64_t side : {1, 5, 8, 16, 32, 57})
    for (const int64_t channels : {8, 16, 64, 256}) {
      Conv2dGeometry g = convolution(256, side, side, channels, channels, 3, 3, 1, 1, {1, 1, 1, 1}, 128);
      const cuda::WeightSlices slices(g);
      CHECK(slices.slice % cuda::kStep == 0);
      CHECK(slices.count * slices.slice >= slices.pixels);
      CHECK((slices.count - 1) * slices.slice < slices.pixels);
      CHECK(slices.tiles * slices.count <= cuda::WeightSlices::kBlocks + slices.tiles);
      g.n = 128;
      CHECK(cuda::WeightSlices(g).count == slices.count);
    }
}

TEST_CASE("own convolutions are asked for, of multiples of eight channels, and of norms that have room") {
  const auto of = [](int64_t c, int64_t k) {
    return convolution(2, 4, 4, c, k, 3, 3, 1, 1, {1, 1, 1, 1}, 1);
  };
  const EmulatedBackend<bf16> own(emulation::Schedule::in_order, ConvolutionAlgorithm::own),
      other(emulation::Schedule::in_order);
  const EmulatedBackend<float> wide(emulation::Schedule::in_order, ConvolutionAlgorithm::own);
  CHECK(own.fuses_norm(of(8, 24)));
  CHECK_FALSE(own.fuses_norm(of(12, 24)));
  CHECK_FALSE(own.fuses_norm(of(8, 3)));
  CHECK_FALSE(own.fuses_norm(of(4096, 8)));
  CHECK(cuda::implicit_conv2d::computes(of(4096, 8)));
  CHECK_FALSE(other.fuses_norm(of(8, 24)));
  CHECK_FALSE(wide.fuses_norm(of(8, 24)));
}

}  // namespace crescendo::test
