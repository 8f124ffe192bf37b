// Ghost batch norm compared with plain loops; its running statistics, evaluation, and the fused ReLU.
#include <doctest/doctest.h>

#include "engine/ops.h"
#include "support/compare.h"
#include "support/tensors.h"
#include "support/tested_device.h"

namespace crescendo::test {
namespace {

constexpr double kEpsilon = 1e-5;
const Shape kShape{6, 3, 4, 5};
constexpr int64_t kPixels = 12, kChannels = 5;

struct Layer {
  Tensor x, scale, shift;
  NormStatistics statistics;

  explicit Layer(const Device& device)
      : x(random_activations(device, kShape, 1)),
        scale(random_reals(device, {kChannels}, 2)),
        shift(random_reals(device, {kChannels}, 3)),
        statistics{random_reals(device, {kChannels}, 4), make_reals(device, {kChannels}, {0.5, 1, 2, 3, 4}),
                   random_reals(device, {kChannels}, 5), random_reals(device, {kChannels}, 6)} {
    for (const Tensor& tensor : {x, scale, shift}) tensor.set_needs_gradient(true);
  }
  Tensor operator()(Tape& tape, const BatchNormOptions& options) const {
    return ghost_batch_norm(tape, x, scale, shift, statistics, options);
  }
};

struct Result {
  std::vector<real> y, dx, dscale, dshift;
};

template <class Forward>
Result run(const Layer& layer, int64_t ghost, const Forward& forward) {
  Tape tape = Tape::training({.ghost = ghost});
  const Tensor y = forward(tape);
  tape.backward(y, random_activations(layer.x.device(), kShape, 7));
  return {y.to_host(), layer.x.gradient().to_host(), layer.scale.gradient().to_host(),
          layer.shift.gradient().to_host()};
}

// The reference: batch norm as in the textbook, in double.
struct Reference {
  std::vector<double> y, dx, dscale, dshift;  // y and dx for the whole batch
  std::vector<double> means, variances;       // [groups, channels], unbiased
};

std::vector<double> widen(const std::vector<real>& values) { return {values.begin(), values.end()}; }

// Computes channel `c` of one group, images [first, first + n).
void reference_channel(const Layer& layer, int64_t first, int64_t n, int64_t c, Reference& result) {
  const std::vector<double> x = widen(layer.x.to_host()), dy = widen(noise(kShape.elements(), 7));
  const auto channel = static_cast<size_t>(c);
  const double scale = widen(layer.scale.to_host())[channel], shift = widen(layer.shift.to_host())[channel];
  const auto count = static_cast<double>(n * kPixels);
  const auto each = [&](const auto& f) {
    for (int64_t i = first * kPixels; i < (first + n) * kPixels; ++i)
      f(static_cast<size_t>(i * kChannels + c));
  };
  double mean = 0, variance = 0, sum = 0, product = 0;
  each([&](size_t i) { mean += x[i] / count; });
  each([&](size_t i) { variance += (x[i] - mean) * (x[i] - mean) / count; });
  const double deviation = std::sqrt(variance + kEpsilon);
  each([&](size_t i) {
    sum += dy[i];
    product += dy[i] * (x[i] - mean) / deviation;
  });
  each([&](size_t i) {
    const double normal = (x[i] - mean) / deviation;
    result.y[i] = normal * scale + shift;
    result.dx[i] = scale / deviation * (dy[i] - sum / count - normal * product / count);
  });
  result.dscale[channel] += product;
  result.dshift[channel] += sum;
  result.means.push_back(mean);
  result.variances.push_back(variance * count / (count - 1));
}

Reference reference(const Layer& layer, int64_t ghost) {
  const auto size = static_cast<size_t>(kShape.elements());
  Reference result{std::vector<double>(size),
                   std::vector<double>(size),
                   std::vector<double>(kChannels),
                   std::vector<double>(kChannels),
                   {},
                   {}};
  for (int64_t first = 0; first < kShape[0]; first += ghost)
    for (int64_t c = 0; c < kChannels; ++c) reference_channel(layer, first, ghost, c, result);
  return result;
}

// Returns the tolerance. Values and 1 / deviation are of order one, so no term of a sum exceeds 4.
double tolerance(int64_t length) { return sum_tolerance(length, 4); }

}  // namespace

TEST_CASE(
    "ghost_batch_norm: equals plain batch norm of each ghost; the whole batch as one is plain batch norm") {
  const Device device = tested_device(2);
  for (const int64_t ghost : {1, 2, 3, 6}) {
    CAPTURE(ghost);
    const Layer layer(device);
    const Result result = run(layer, ghost, [&](Tape& tape) { return layer(tape, {.epsilon = kEpsilon}); });
    const Reference expected = reference(layer, ghost);
    check_close(result.y, expected.y, tolerance(1));
    check_close(result.dx, expected.dx, tolerance(1));
    check_close(result.dscale, expected.dscale, tolerance(kShape[0] * kPixels));
    check_close(result.dshift, expected.dshift, tolerance(kShape[0] * kPixels));
  }
}

TEST_CASE("ghost_batch_norm: fused with ReLU equals the two ops one after the other") {
  const Device device = tested_device(2);
  for (const int64_t ghost : {2, 6}) {
    CAPTURE(ghost);
    const Layer fused(device), composed(device);
    const Result one = run(fused, ghost, [&](Tape& tape) { return fused(tape, {.relu = true}); });
    const Result two = run(composed, ghost, [&](Tape& tape) { return relu(tape, composed(tape, {})); });
    check_close(one.y, widen(two.y), tolerance(1));
    check_close(one.dx, widen(two.dx), tolerance(1));
    check_close(one.dscale, widen(two.dscale), tolerance(kShape[0] * kPixels));
    check_close(one.dshift, widen(two.dshift), tolerance(kShape[0] * kPixels));
    CHECK(one.dx != run(fused, ghost, [&](Tape& tape) { return fused(tape, {}); }).dx);  // the mask matters
  }
}

TEST_CASE("ghost_batch_norm: a residual is added before the ReLU, as three ops would") {
  const Device device = tested_device(2);
  for (const bool rectified : {false, true})
    for (const bool needs_gradient : {false, true}) {
      CAPTURE(rectified);
      CAPTURE(needs_gradient);
      const Layer fused(device), composed(device);
      const Tensor residual = random_activations(device, kShape, 8),
                   same = random_activations(device, kShape, 8);
      for (const Tensor& tensor : {residual, same}) tensor.set_needs_gradient(needs_gradient);
      const Result one = run(fused, 3, [&](Tape& tape) {
        return ghost_batch_norm(tape, fused.x, fused.scale, fused.shift, fused.statistics,
                                {.relu = rectified}, residual);
      });
      const Result three = run(composed, 3, [&](Tape& tape) {
        const Tensor sum = add(tape, same, composed(tape, {}));
        return rectified ? relu(tape, sum) : sum;
      });
      check_close(one.y, widen(three.y), tolerance(1));
      check_close(one.dx, widen(three.dx), tolerance(1));
      check_close(one.dscale, widen(three.dscale), tolerance(kShape[0] * kPixels));
      check_close(one.dshift, widen(three.dshift), tolerance(kShape[0] * kPixels));
      REQUIRE(residual.gradient().defined() == needs_gradient);
      if (needs_gradient)
        check_close(residual.gradient().to_host(), widen(same.gradient().to_host()), tolerance(1));
    }
}

TEST_CASE("ghost_batch_norm: the residual's gradient joins those it has, and x may be the residual") {
  const Device device = tested_device(2);
  const Layer layer(device), twin(device);
  const Result one = run(layer, 2, [&](Tape& tape) {
    const Tensor doubled = add(tape, layer.x, layer.x);
    const Tensor y =
        ghost_batch_norm(tape, doubled, layer.scale, layer.shift, layer.statistics, {.relu = true}, doubled);
    return add(tape, y, doubled);
  });
  const Result other = run(twin, 2, [&](Tape& tape) {
    const Tensor doubled = add(tape, twin.x, twin.x);
    const Tensor norm = ghost_batch_norm(tape, doubled, twin.scale, twin.shift, twin.statistics);
    return add(tape, relu(tape, add(tape, norm, doubled)), doubled);
  });
  check_close(one.y, widen(other.y), tolerance(1));
  check_close(one.dx, widen(other.dx), 4 * tolerance(1));
  check_close(one.dscale, widen(other.dscale), tolerance(kShape[0] * kPixels));
}

TEST_CASE("ghost_batch_norm: sequential statistics are (1-rho)^K run + rho sum of (1-rho)^(K-i) mu_i") {
  const Device device = tested_device(2);
  const double rho = 0.3;
  const Layer layer(device);
  const std::vector<double> mean0 = widen(layer.statistics.running_mean.to_host());
  const std::vector<double> variance0 = widen(layer.statistics.running_variance.to_host());
  const std::vector<real> pending = layer.statistics.pending_mean.to_host();
  Tape tape = Tape::training({.ghost = 2});
  layer(tape, {.epsilon = kEpsilon, .momentum = rho});

  const Reference ghosts = reference(layer, 2);
  constexpr int kGhosts = 3;
  std::vector<double> mean(kChannels), variance(kChannels);
  for (size_t c = 0; c < kChannels; ++c) {
    mean[c] = std::pow(1 - rho, kGhosts) * mean0[c];
    variance[c] = std::pow(1 - rho, kGhosts) * variance0[c];
    for (size_t i = 1; i <= kGhosts; ++i) {
      const double weight = rho * std::pow(1 - rho, kGhosts - static_cast<double>(i));
      mean[c] += weight * ghosts.means[(i - 1) * kChannels + c];
      variance[c] += weight * ghosts.variances[(i - 1) * kChannels + c];
    }
  }
  check_close(layer.statistics.running_mean.to_host(), mean, tolerance(kGhosts));
  check_close(layer.statistics.running_variance.to_host(), variance, tolerance(kGhosts));
  CHECK(layer.statistics.pending_mean.to_host() == pending);  // which the other mode would change
}

TEST_CASE("ghost_batch_norm: statistics do not depend on how the batch is cut") {
  const Device device = tested_device(2);
  const Layer whole(device), cut(device);
  Tape tape = Tape::training({.ghost = 2});
  whole(tape, {});
  for (const int64_t first : {0, 4}) {
    const int64_t n = first == 0 ? 4 : 2;
    Tape part = Tape::training({.ghost = 2});
    const Tensor x = cut.x.view(first * kPixels * kChannels, {n, 3, 4, kChannels}, Element::activation);
    ghost_batch_norm(part, x, cut.scale, cut.shift, cut.statistics);
  }
  check_same_bits(cut.statistics.running_mean.to_host(), whole.statistics.running_mean.to_host());
  check_same_bits(cut.statistics.running_variance.to_host(), whole.statistics.running_variance.to_host());
}

TEST_CASE("ghost_batch_norm: mean_of_ghosts sums the ghosts' statistics and leaves the running ones") {
  const Device device = tested_device(2);
  const Layer layer(device);
  const std::vector<real> running = layer.statistics.running_mean.to_host();
  std::vector<double> mean = widen(layer.statistics.pending_mean.to_host());
  std::vector<double> variance = widen(layer.statistics.pending_variance.to_host());
  Tape tape = Tape::training({.ghost = 3, .running_statistics = RunningStatistics::mean_of_ghosts});
  layer(tape, {.epsilon = kEpsilon});
  const Reference ghosts = reference(layer, 3);
  for (size_t i = 0; i < ghosts.means.size(); ++i) {
    mean[i % kChannels] += ghosts.means[i];
    variance[i % kChannels] += ghosts.variances[i];
  }
  check_close(layer.statistics.pending_mean.to_host(), mean, tolerance(2));
  check_close(layer.statistics.pending_variance.to_host(), variance, tolerance(2));
  CHECK(layer.statistics.running_mean.to_host() == running);
}

TEST_CASE("ghost_batch_norm: evaluation uses the running statistics and leaves them") {
  const Device device = tested_device(2);  // new, so that only this op has reserved workspace
  const Layer layer(device);
  const std::vector<double> x = widen(layer.x.to_host());
  const std::vector<double> mean = widen(layer.statistics.running_mean.to_host());
  const std::vector<double> variance = widen(layer.statistics.running_variance.to_host());
  const std::vector<double> scale = widen(layer.scale.to_host()), shift = widen(layer.shift.to_host());
  for (const bool fused : {false, true}) {
    Tape tape = Tape::off();
    const std::vector<real> y = layer(tape, {.epsilon = kEpsilon, .relu = fused}).to_host();
    std::vector<double> expected;
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t c = i % kChannels;
      const double value = (x[i] - mean[c]) / std::sqrt(variance[c] + kEpsilon) * scale[c] + shift[c];
      expected.push_back(fused ? std::max(0.0, value) : value);
    }
    check_close(y, expected, tolerance(1));
  }
  CHECK(widen(layer.statistics.running_mean.to_host()) == mean);
  CHECK(widen(layer.statistics.running_variance.to_host()) == variance);
}

TEST_CASE("ghost_batch_norm: rejects what does not fit") {
  const Device device = tested_device(1);
  const Layer layer(device);
  Tape tape = Tape::training({.ghost = 4});
  CHECK_THROWS_WITH_AS(layer(tape, {}), "tape: 6 images are not a whole number of ghost batches of 4",
                       std::invalid_argument);
  Tape off = Tape::off();
  CHECK_THROWS_AS(layer(off, {.epsilon = 0}), std::invalid_argument);
  CHECK_THROWS_AS(ghost_batch_norm(off, layer.x, random_reals(device, {4}, 1), layer.shift, layer.statistics),
                  std::invalid_argument);
  CHECK_THROWS_AS(ghost_batch_norm(off, layer.x, layer.scale, layer.shift, layer.statistics, {},
                                   Tensor::activations(device, {6, 3, 4, 4})),
                  std::invalid_argument);
  CHECK_THROWS_AS(ghost_batch_norm(off, Tensor::activations(device, {3, 4, 5}), layer.scale, layer.shift,
                                   layer.statistics),
                  std::invalid_argument);
}

}  // namespace crescendo::test
