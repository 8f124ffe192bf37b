// The dispatch that the CUDA backend and the emulated one share: its own work before and after a library's
// kernel, and its workspace.
#include <doctest/doctest.h>

#include "cases/conv2d.h"
#include "emulation/emulated_backend.h"
#include "support/activations.h"
#include "support/reference_conv2d.h"

namespace crescendo::test {
namespace {

// Three ghost batches of two images.
Conv2dGeometry three_ghosts() { return convolution(6, 5, 4, 3, 7, 3, 3, 1, 1, {1, 1, 1, 1}, 2); }

template <class T>
EmulatedBackend<T> backend_of(ConvolutionAlgorithm algorithm = ConvolutionAlgorithm::automatic) {
  return EmulatedBackend<T>(emulation::Schedule::in_order, algorithm);
}

// Returns a call with a geometry and nothing else.
template <class Call, class Geometry>
Call sized(const Geometry& geometry) {
  Call call{};
  call.geometry = geometry;
  return call;
}

// Returns a weight gradient by bf16 activations, begun with noise.
std::vector<real> weight_gradient(const Conv2dGeometry& g, const std::vector<real>& x,
                                  const std::vector<real>& dy, const std::vector<real>& before, Write write) {
  auto backend = backend_of<bf16>();
  const Activations x_memory(backend, x), dy_memory(backend, dy);
  Buffer<real> dweight(backend, before);
  run(backend, Conv2dBackwardWeight{
                   .geometry = g, .x = x_memory, .dy = dy_memory, .dweight = dweight, .write = write});
  return dweight.values();
}

}  // namespace

TEST_CASE("a library's weight gradients in bf16 are rounded once a ghost batch and added in fp32") {
  const Conv2dGeometry g = three_ghosts();
  const Conv2dSizes size(g);
  const std::vector<real> x = noise(size.x, 1), dy = noise(size.y, 2), before = noise(size.weight, 3);
  for (const Write write : {Write::overwrite, Write::add}) {
    std::vector<real> expected = write == Write::add ? before : std::vector<real>(before.size());
    for (int64_t ghost = 0; ghost < 3; ++ghost) {
      Conv2dGeometry one = g;
      one.n = g.ghost;
      const auto part = [ghost](const std::vector<real>& all) {
        const auto length = static_cast<std::ptrdiff_t>(all.size() / 3);
        return std::vector<real>(all.begin() + ghost * length, all.begin() + (ghost + 1) * length);
      };
      const std::vector<real> gradient =
          weight_gradient(one, part(x), part(dy), poison(size.weight), Write::overwrite);
      for (size_t i = 0; i < expected.size(); ++i) {
        CHECK(gradient[i] == bf16(gradient[i]));
        expected[i] += gradient[i];
      }
    }
    check_same_bits(weight_gradient(g, x, dy, before, write), expected);
  }
}

TEST_CASE("an epilogue follows the library's sums: bias, factor, residual and ReLU, or a norm") {
  const Conv2dGeometry g = three_ghosts();
  const Conv2dSizes size(g);
  auto backend = backend_of<float>();
  const Activations x(backend, noise(size.x, 1)), weight(backend, noise(size.weight, 2)),
      residual(backend, noise(size.y, 3));
  const std::vector<real> of_channels = noise(g.k, 4);
  const Buffer<real> bias(backend, of_channels), scale(backend, noise(g.k, 5)), mean(backend, noise(g.k, 6)),
      variance(backend, std::vector<real>(static_cast<size_t>(g.k), 2));
  Activations plain(backend, poison(size.y)), y(backend, poison(size.y)), normed(backend, poison(size.y));
  const auto convolve = [&](const ConvolutionEpilogue& epilogue, Activations& to) {
    run(backend, Conv2dForward{.geometry = g, .x = x, .weight = {weight}, .epilogue = epilogue, .y = to});
    return to.values();
  };
  const std::vector<real> sums = convolve({}, plain), skip = residual.values();
  const std::vector<real> finished =
      convolve({.bias = bias, .factor = 0.5, .residual = residual, .relu = true}, y);
  for (size_t i = 0; i < sums.size(); ++i)
    CHECK(finished[i] ==
          std::max(real{0}, real{0.5} * (sums[i] + of_channels[i % of_channels.size()]) + skip[i]));

  const NormOperands norm{.scale = scale, .shift = bias, .mean = mean, .variance = variance};
  convolve({.norm = norm, .epsilon = 1e-3, .residual = residual, .relu = true}, normed);
  run(backend,
      Normalise{
          .geometry = {.n = g.n, .pixels = g.p * g.q, .c = g.k, .ghost = g.n, .epsilon = 1e-3, .relu = true},
          .x = plain,
          .norm = norm,
          .residual = residual,
          .y = y});
  check_same_bits(normed.values(), y.values());
}

TEST_CASE("workspace is a library's, with room for a gradient in bf16, or our own kernels'") {
  const Conv2dGeometry library = three_ghosts();
  const Conv2dGeometry ours = convolution(4, 5, 4, 16, 8, 1, 1, 1, 1, {0, 0, 0, 0}, 2);
  const auto of = sized<Conv2dForward, Conv2dGeometry>;
  const auto wide = backend_of<float>(), other = backend_of<float>(ConvolutionAlgorithm::own);
  const auto narrow = backend_of<bf16>(), own = backend_of<bf16>(ConvolutionAlgorithm::own);
  CHECK(wide.workspace(of(library)) == 1024);  // the stand-in's 1000, up to the next multiple of 256
  CHECK(narrow.workspace(of(library)) == 1024 + 7 * 3 * 3 * 3 * sizeof(bf16));
  CHECK(own.workspace(of(library)) == narrow.workspace(of(library)));
  CHECK(own.workspace(of(ours)) == cuda::implicit_conv2d::workspace(ours));
  CHECK(other.workspace(of(ours)) == wide.workspace(of(ours)));
  const LinearGeometry linear{.n = 2, .in = 3, .out = 4, .ghost = 1};
  CHECK(wide.workspace(sized<LinearForward>(linear)) == kStandInWorkspace);

  SiblingConv2dForward siblings{};
  for (const Conv2dGeometry& g : {library, ours}) siblings.siblings.push_back(sized<SiblingConvolution>(g));
  CHECK(narrow.workspace(siblings) == std::max(narrow.workspace(of(library)), narrow.workspace(of(ours))));
  Conv2dGeometry empty = library;
  empty.n = 0;
  CHECK(narrow.workspace(of(empty)) == 0);
  CHECK(narrow.workspace(Fill{.n = 100, .value = 0, .to = nullptr}) == 0);
}

TEST_CASE("a convolution of a normalised input is refused for a geometry that is not fused") {
  auto backend = backend_of<bf16>();
  CHECK_THROWS_AS(backend.run(sized<NormConv2dForward>(three_ghosts())), std::logic_error);
}

}  // namespace crescendo::test
