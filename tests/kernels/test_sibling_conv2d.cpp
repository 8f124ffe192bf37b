// Sibling convolutions have the bits of convolutions one by one, for any number of threads.
#include <algorithm>
#include <memory>

#include "cases/conv2d.h"
#include "support/activations.h"
#include "support/tested_backend.h"

namespace crescendo::test {
namespace {

struct Family {
  Conv2dGeometry x;  // k is not used
  std::vector<int64_t> outputs;

  Conv2dGeometry geometry(size_t i) const {
    Conv2dGeometry g = x;
    g.k = outputs[i];
    return g;
  }
};

Conv2dGeometry pointwise(int64_t n, int64_t h, int64_t w, int64_t c) {
  return convolution(n, h, w, c, 1, 1, 1, 1, 1, {0, 0, 0, 0}, 1);
}

// Returns families with pixels of one block and of several.
// Pixels of 1024 channels are copied before they are read.
std::vector<Family> families() {
  return {{pointwise(2, 5, 3, 17), {24}},           {pointwise(1, 8, 8, 20), {5, 33}},
          {pointwise(3, 35, 35, 40), {32, 32, 48}}, {pointwise(2, 6, 7, 1024), {16, 1}},
          {pointwise(1, 9, 30, 24), {1024, 31}},    {pointwise(0, 4, 4, 8), {3, 5}}};
}

// Calls f(backend, family) for each family and several numbers of threads. The backend is fresh, so it has no
// more workspace than the siblings ask for.
template <class F>
void each_family(const F& f) {
  for (const int threads : {1, 3})
    for (const Family& family : families()) {
      CAPTURE(threads);
      CAPTURE(family.x.c);
      CAPTURE(family.outputs[0]);
      bool tested = true;
      for (size_t i = 0; i < family.outputs.size(); ++i) tested = tested && is_tested(family.geometry(i));
      if (tested) f(*tested_backend(threads), family);
    }
}

}  // namespace

TEST_CASE("sibling convolutions: forward, with epilogues, packed weights and larger pixels") {
  each_family([](Backend& backend, const Family& family) {
    const auto other = tested_backend(1);
    const int64_t pixels = family.x.n * family.x.h * family.x.w;
    const Activations x(backend, noise(pixels * family.x.c, 1));
    std::vector<std::unique_ptr<Activations>> weights, results, expected;
    std::vector<std::unique_ptr<Buffer<real>>> biases, packed;
    std::vector<SiblingConvolution> siblings;
    for (size_t i = 0; i < family.outputs.size(); ++i) {
      const Conv2dGeometry g = family.geometry(i);
      const auto seed = static_cast<uint32_t>(10 * i);
      weights.push_back(std::make_unique<Activations>(backend, noise(g.k * g.c, seed + 2)));
      biases.push_back(std::make_unique<Buffer<real>>(backend, noise(g.k, seed + 3)));
      packed.push_back(std::make_unique<Buffer<real>>(backend, poison(backend.packed_weight_size(g))));
      ConvolutionWeight weight{.values = *weights[i]};
      if (i == 1 && backend.packed_weight_size(g) > 0) {
        run(*other, PackWeight{.geometry = g, .weight = weight.values, .packed = *packed[i]});
        weight = {.packed = *packed[i]};
      }
      ConvolutionEpilogue epilogue;
      if (i != 1) epilogue = {.bias = *biases[i], .factor = 0.5, .relu = true};
      if (i == 2 && backend.capabilities().finishes_before_storing) epilogue.y_channels = g.k + 16;
      const int64_t size = pixels * std::max(g.k, epilogue.y_channels);
      results.push_back(std::make_unique<Activations>(backend, noise(size, seed + 4)));
      expected.push_back(std::make_unique<Activations>(backend, noise(size, seed + 4)));
      siblings.push_back({.geometry = g, .weight = weight, .epilogue = epilogue, .y = *results[i]});
      run(*other,
          Conv2dForward{
              .geometry = g, .x = x, .weight = {*weights[i]}, .epilogue = epilogue, .y = *expected[i]});
    }
    run(backend, SiblingConv2dForward{.x = x, .siblings = siblings});
    for (size_t i = 0; i < siblings.size(); ++i) {
      CAPTURE(i);
      check_same_bits(results[i]->values(), expected[i]->values());
    }
  });
}

TEST_CASE("sibling convolutions: the gradient of x") {
  each_family([](Backend& backend, const Family& family) {
    const auto other = tested_backend(1);
    const int64_t pixels = family.x.n * family.x.h * family.x.w;
    for (const Write write : {Write::overwrite, Write::add}) {
      const std::vector<real> before = noise(pixels * family.x.c, 1);
      Activations dx(backend, before), expected(backend, before);
      std::vector<std::unique_ptr<Activations>> weights, gradients;
      std::vector<SiblingGradient> siblings;
      Write next = write;
      for (size_t i = 0; i < family.outputs.size(); ++i) {
        const Conv2dGeometry g = family.geometry(i);
        const auto seed = static_cast<uint32_t>(10 * i);
        weights.push_back(std::make_unique<Activations>(backend, noise(g.k * g.c, seed + 2)));
        gradients.push_back(std::make_unique<Activations>(backend, noise(pixels * g.k, seed + 3)));
        siblings.push_back({.geometry = g, .dy = *gradients[i], .weight = *weights[i]});
        run(*other,
            Conv2dBackwardData{
                .geometry = g, .dy = *gradients[i], .weight = *weights[i], .dx = expected, .write = next});
        next = Write::add;
      }
      run(backend, SiblingConv2dBackwardData{.siblings = siblings, .dx = dx, .write = write});
      check_same_bits(dx.values(), expected.values());
    }
  });
}

}  // namespace crescendo::test
