// Kernels that store past the cache give the same bits as kernels that do not. Each test compares a
// micro-batch too large for the cache with the same images one by one.
#include <functional>

#include "cases/conv2d.h"
#include "kernels/cpu/backend.h"
#include "support/activations.h"
#include "support/tested_backend.h"

namespace crescendo::test {
namespace {

// Two images of 9 MiB each in float. Both together exceed the cache size that the kernels assume.
constexpr int64_t kImages = 2, kSide = 192, kChannels = 64;

void each_cut(const std::function<void(int64_t first, int64_t images, size_t result)>& compute) {
  compute(0, kImages, 0);
  for (int64_t image = 0; image < kImages; ++image) compute(image, 1, 1);
}

}  // namespace

TEST_CASE("past the cache: batch norm, also into a slice of channels") {
  struct Channels {
    int64_t c, y;
  };
  for (const Channels channels : {Channels{kChannels, kChannels},
                                  {kChannels, kChannels + 32},
                                  {kChannels, kChannels + 4},
                                  {kChannels - 4, kChannels}}) {
    CAPTURE(channels.c);
    CAPTURE(channels.y);
    const auto backend = tested_backend(2);
    BatchNormGeometry g{.n = kImages,
                        .pixels = kSide * kSide,
                        .c = channels.c,
                        .ghost = 1,
                        .epsilon = 1e-3,
                        .relu = true,
                        .y_channels = channels.y};
    const int64_t size = g.pixels * channels.c, y_size = g.pixels * channels.y;
    const Buffer<real> x(*backend, noise(kImages * size, 1)), dy(*backend, noise(kImages * y_size, 2)),
        scale(*backend, noise(g.c, 3)), shift(*backend, noise(g.c, 4));
    Results y(2), dx(2);
    Buffer<real> mean(*backend, poison(kImages * g.c)), variance(*backend, poison(kImages * g.c)),
        dscale(*backend, poison(g.c)), dshift(*backend, poison(g.c));
    run(*backend, GhostMoments{.geometry = g, .x = x, .mean = mean, .variance = variance});
    each_cut([&](int64_t first, int64_t images, size_t result) {
      g.n = images;
      const NormOperands norm{.scale = scale,
                              .shift = shift,
                              .mean = mean.data() + first * g.c,
                              .variance = variance.data() + first * g.c};
      Buffer<real> to(*backend, poison(images * y_size)), gradient(*backend, poison(images * size));
      const auto append = [](std::vector<real>& values, const Buffer<real>& buffer) {
        const std::vector<real> more = buffer.values();
        values.insert(values.end(), more.begin(), more.end());
      };
      run(*backend, Normalise{.geometry = g,
                              .x = x.at(first * size),
                              .norm = norm,
                              .residual = dy.at(first * size),
                              .y = to});
      append(y[result], to);
      run(*backend, GhostBatchNormBackward{.geometry = g,
                                           .x = x.at(first * size),
                                           .dy = dy.at(first * y_size),
                                           .norm = norm,
                                           .dx = gradient,
                                           .write_dx = Write::overwrite,
                                           .dscale = dscale,
                                           .dshift = dshift,
                                           .write_parameters = Write::overwrite});
      append(dx[result], gradient);
    });
    check_same_bits(y[0], y[1]);
    check_same_bits(dx[0], dx[1]);
  }
}

TEST_CASE("past the cache: convolutions") {
  for (const auto algorithm : tested_algorithms())
    for (const int64_t kernel : {1, 3}) {
      CAPTURE(kernel);
      const auto backend = tested_backend(2, algorithm);
      const int64_t pad = kernel / 2;
      Conv2dGeometry g = convolution(kImages, kSide, kSide, kChannels, kChannels, kernel, kernel, 1, 1,
                                     {pad, pad, pad, pad}, 1);
      const int64_t size = kSide * kSide * kChannels;
      const Buffer<real> x(*backend, noise(kImages * size, 1)),
          weight(*backend, noise(kChannels * kernel * kernel * kChannels, 2)),
          bias(*backend, noise(kChannels, 3));
      Results y(4);
      each_cut([&](int64_t first, int64_t images, size_t result) {
        g.n = images;
        const ConvolutionEpilogue joined{.bias = bias, .residual = x.at(first * size), .relu = true};
        for (const bool finished : {false, true}) {
          Buffer<real> to(*backend, poison(images * size));
          run(*backend, Conv2dForward{.geometry = g,
                                      .x = x.at(first * size),
                                      .weight = {weight},
                                      .epilogue = finished ? joined : ConvolutionEpilogue{},
                                      .y = to});
          const std::vector<real> more = to.values();
          std::vector<real>& all = y[finished ? result + 2 : result];
          all.insert(all.end(), more.begin(), more.end());
        }
      });
      check_same_bits(y[0], y[1]);
      check_same_bits(y[2], y[3]);
    }
}

TEST_CASE("past the cache: convolutions into their residual, and into a pixel's first channels") {
  // A pixel is a whole number of vectors; the convolution's channels fill the last one only in part.
  constexpr int64_t kOut = kChannels - 4;
  for (const auto algorithm : tested_algorithms()) {
    const auto backend = tested_backend(2, algorithm);
    if (!backend->capabilities().finishes_before_storing) continue;
    const auto forward = [&](int64_t out, const activation* residual, int64_t y_channels, activation* y) {
      const Conv2dGeometry g =
          convolution(kImages, kSide, kSide, kChannels, out, 3, 3, 1, 1, {1, 1, 1, 1}, 1);
      const Buffer<real> x(*backend, noise(kImages * kSide * kSide * kChannels, 1)),
          weight(*backend, noise(out * 3 * 3 * kChannels, 2));
      run(*backend, Conv2dForward{.geometry = g,
                                  .x = x,
                                  .weight = {weight},
                                  .epilogue = {.residual = residual, .relu = true, .y_channels = y_channels},
                                  .y = y});
    };
    const std::vector<real> before = noise(kImages * kSide * kSide * kChannels, 3);
    const Buffer<real> residual(*backend, before);
    Buffer<real> apart(*backend, before), over(*backend, before), alone(*backend, before),
        among(*backend, before);
    forward(kChannels, residual, 0, apart);
    forward(kChannels, over, 0, over);
    check_same_bits(over.values(), apart.values());
    forward(kOut, nullptr, 0, alone);
    forward(kOut, nullptr, kChannels, among);
    std::vector<real> results = alone.values();
    results.resize(before.size() / kChannels * kOut);
    check_same_bits(among.values(), with_channels(before, kChannels, 0, results, kOut));
  }
}

}  // namespace crescendo::test
