// Weights that are packed once give the same results as weights that are packed every time.
#include <doctest/doctest.h>

#include "engine/ops.h"
#include "engine/packed_weights.h"
#include "kernels/cpu/backend.h"
#include "support/compare.h"
#include "support/tensors.h"
#include "support/tracing_backend.h"

namespace crescendo::test {
namespace {

struct Traced {
  TracingBackend* backend;
  Device device;

  explicit Traced(std::unique_ptr<TracingBackend> made) : backend(made.get()), device(std::move(made)) {}
};

}  // namespace

TEST_CASE(
    "packed weights: packed once, whatever the number of images, and again for images of another size") {
  Traced traced(std::make_unique<TracingBackend>(make_cpu_backend(2), false));
  const Device& device = traced.device;
  const Tensor weight = random_weight(device, {24, 3, 3, 16}, 1),
               other = random_weight(device, {5, 1, 1, 16}, 2);
  PackedWeights packed;
  const auto check = [&](const Tensor& w, int64_t images, int64_t side, int64_t packings) {
    const Tensor x = random_activations(device, {images, side, side, 16}, 3);
    Tape each_time = Tape::off(), once = Tape::off({.packed_weights = &packed});
    const std::vector<real> expected = conv2d(each_time, x, w).to_host();
    check_same_bits(conv2d(once, x, w).to_host(), expected);
    CHECK(traced.backend->count<PackWeight>() == packings);
  };
  check(weight, 2, 12, 1);
  check(weight, 3, 12, 1);
  check(other, 2, 12, 2);
  check(weight, 1, 12, 2);
  check(weight, 1, 5, 3);
  check(weight, 2, 12, 4);
  Tape training = Tape::training();
  conv2d(training, random_activations(device, {1, 12, 12, 16}, 3), weight);
  CHECK(traced.backend->count<PackWeight>() == 4);
}

TEST_CASE("packed weights: a device that gains nothing by them is given the weights alone") {
  const Device device = Device::cpu(1);
  const Tensor weight = random_weight(device, {4, 1, 1, 3}, 1);
  PackedWeights packed;
  Conv2dGeometry nothing{};
  nothing.c = 3, nothing.k = 4, nothing.r = nothing.s = 1;
  CHECK(packed.of(nothing, weight).values == weight.as_activations());
  CHECK(packed.of(nothing, weight).packed == nullptr);
}

}  // namespace crescendo::test
