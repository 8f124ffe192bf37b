// norm_conv2d equals ghost_batch_norm, conv2d and add one after another, in training and evaluation.
#include <doctest/doctest.h>

#include "engine/ops.h"
#include "support/compare.h"
#include "support/tensors.h"

namespace crescendo::test {
namespace {

constexpr int64_t kImages = 6, kGhost = 3, kSide = 9, kIn = 5, kOut = 7;
const Shape kX{kImages, kSide, kSide, kIn}, kY{kImages, kSide, kSide, kOut};
const Conv2dOptions kSame{.padding = Padding::all(1)};

struct Layer {
  Tensor x, weight, residual;
  NormLayer norm;

  explicit Layer(const Device& device)
      : x(random_activations(device, kX, 1)),
        weight(random_weight(device, {kOut, 3, 3, kIn}, 2)),
        residual(random_activations(device, kY, 3)),
        norm{random_reals(device, {kIn}, 4),
             random_reals(device, {kIn}, 5),
             {random_reals(device, {kIn}, 6), make_reals(device, {kIn}, {0.5, 1, 2, 3, 4}),
              random_reals(device, {kIn}, 7), random_reals(device, {kIn}, 8)},
             {.relu = true}} {
    for (const Tensor& tensor : {x, weight, residual, norm.scale, norm.shift})
      tensor.set_needs_gradient(true);
  }
  TensorWithMoments fused_with_moments(Tape& tape) const {
    return norm_conv2d(tape, x, norm, weight, kSame, residual);
  }
  Tensor fused(Tape& tape) const { return fused_with_moments(tape).tensor; }
  Tensor one_by_one(Tape& tape) const {
    const Tensor o = ghost_batch_norm(tape, x, norm.scale, norm.shift, norm.statistics, norm.options);
    return add(tape, residual, conv2d(tape, o, weight, kSame));
  }
};

// Results, gradients, and running statistics after a step.
template <class Forward>
std::vector<std::vector<real>> train(const Layer& layer, const Forward& forward) {
  Tape tape = Tape::training({.ghost = kGhost});
  const Tensor y = forward(tape);
  tape.backward(y, random_activations(y.device(), kY, 9));
  std::vector<std::vector<real>> results{y.to_host()};
  for (const Tensor& tensor : {layer.x, layer.weight, layer.residual, layer.norm.scale, layer.norm.shift})
    results.push_back(tensor.gradient().to_host());
  for (const Tensor& tensor : {layer.norm.statistics.running_mean, layer.norm.statistics.running_variance})
    results.push_back(tensor.to_host());
  return results;
}

std::vector<double> widen(const std::vector<real>& values) { return {values.begin(), values.end()}; }

Device winograd() { return Device::cpu(2, ConvolutionAlgorithm::winograd); }
Device direct() { return Device::cpu(2, ConvolutionAlgorithm::direct); }

}  // namespace

TEST_CASE("norm_conv2d: trains as the three ops do") {
  const Layer fused(winograd()), plain(winograd());
  const auto results = train(fused, [&](Tape& tape) { return fused.fused(tape); });
  const auto expected = train(plain, [&](Tape& tape) { return plain.one_by_one(tape); });
  // Tolerance: sums over filters or pixels of normalised values, which are about 2,
  // divided by deviations of about 0.5.
  const double tolerance = kWinogradAmplification.weight * 2 * sum_tolerance(kImages * kSide * kSide, 2);
  REQUIRE(results.size() == expected.size());
  for (size_t i = 0; i < results.size(); ++i) {
    CAPTURE(i);
    check_close(results[i], widen(expected[i]), tolerance);
  }
}

TEST_CASE("norm_conv2d: is the three ops, bit for bit, where there is no kernel for it") {
  const Layer one(direct()), other(direct());
  const auto results = train(one, [&](Tape& tape) { return one.fused(tape); });
  const auto expected = train(other, [&](Tape& tape) { return other.one_by_one(tape); });
  for (size_t i = 0; i < results.size(); ++i) {
    CAPTURE(i);
    check_same_bits(results[i], expected[i]);
  }
}

TEST_CASE("norm_conv2d: returns the moments that the next norm would compute") {
  const Layer layer(winograd());
  Tape tape = Tape::training({.ghost = kGhost});
  const auto [y, moments] = layer.fused_with_moments(tape);
  REQUIRE(moments.mean.defined());
  const Device device = y.device();
  const BatchNormGeometry g{
      .n = kImages, .pixels = kSide * kSide, .c = kOut, .ghost = kGhost, .epsilon = 0, .relu = false};
  const Tensor mean = Tensor::reals(device, {2, kOut}), variance = Tensor::reals(device, {2, kOut});
  device.run(GhostMoments{
      .geometry = g, .x = y.as_activations(), .mean = mean.as_reals(), .variance = variance.as_reals()});
  check_close(moments.mean.to_host(), widen(mean.to_host()), sum_tolerance(16, 10) / 16);
  check_close(moments.variance.to_host(), widen(variance.to_host()), sum_tolerance(16, 100) / 16);
}

TEST_CASE("norm_conv2d: evaluates by the running statistics, which stay") {
  for (const Device& device : {winograd(), direct()}) {
    const Layer layer(device);
    Tape tape = Tape::off();
    const auto [y, moments] = layer.fused_with_moments(tape);
    CHECK_FALSE(moments.mean.defined());
    check_close(y.to_host(), widen(layer.one_by_one(tape).to_host()),
                kWinogradAmplification.image * sum_tolerance(9 * kIn, 3));
    CHECK(layer.norm.statistics.running_variance.to_host() == std::vector<real>{0.5, 1, 2, 3, 4});
  }
}

TEST_CASE("norm_conv2d: rejects what does not fit") {
  const Layer layer(winograd());
  const Device device = layer.x.device();
  Tape tape = Tape::training({.ghost = kGhost});
  CHECK_THROWS_AS(norm_conv2d(tape, layer.x, layer.norm, layer.weight, kSame, layer.x),
                  std::invalid_argument);
  CHECK_THROWS_AS(norm_conv2d(tape, layer.residual, layer.norm, layer.weight, kSame), std::invalid_argument);
}

}  // namespace crescendo::test
