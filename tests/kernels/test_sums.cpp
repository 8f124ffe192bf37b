// Exact sums over ghost batches: independent of order and grouping, as close to the true sum as their unit
// allows, and no term lost that has no place in its sum.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cases/images.h"
#include "kernels/exact_sum.h"
#include "support/buffer.h"
#include "support/compare.h"
#include "support/counters.h"
#include "support/tested_backend.h"

namespace crescendo::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(),
                 kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kSmallest = std::numeric_limits<int64_t>::min();

// The sums that add_to_sums makes of gradients, and whether it found a bad one.
struct Added {
  std::vector<int64_t> sums;
  UpdateCounts counts;
};
Added add_ghosts(Backend& backend, const std::vector<std::vector<real>>& ghosts, double unit,
                 const StepCounters& values = {}) {
  const auto n = static_cast<int64_t>(ghosts[0].size());
  const Counters<StepCounters> counters(backend, values);
  const Counters<UpdateCounts> counts(backend, {});
  Buffer<int64_t> sums(backend, std::vector<int64_t>(ghosts[0].size(), 5));
  for (const std::vector<real>& ghost : ghosts) {
    const Buffer<real> gradients(backend, ghost);
    run(backend, AddToSums{.n = n,
                           .ghosts = 1,
                           .ghost_stride = 0,
                           .unit = unit,
                           .gradients = gradients,
                           .sums = sums,
                           .counters = counters,
                           .counts = counts});
  }
  return {sums.values(), counts.values()};
}

}  // namespace

TEST_CASE("begin_update sets the counters, and the sums to zero") {
  const auto backend = tested_backend(2);
  for (const int64_t n : lengths()) {
    CAPTURE(n);
    const Counters<StepCounters> counters(*backend,
                                          {.position = 3, .correct = 4, .loss = 5, .stopped_at = 6});
    const Counters<UpdateCounts> counts(
        *backend, {.loss = 1, .correct = 2, .bad = 3, .squares = 4, .small_squares = 5});
    Buffer<int64_t> sums(*backend, std::vector<int64_t>(static_cast<size_t>(n), kSmallest));
    run(*backend, BeginUpdate{.first = 70,
                              .position = 75,
                              .ghosts = 9,
                              .n = n,
                              .sums = sums,
                              .counters = counters,
                              .counts = counts});
    CHECK(sums.values() == std::vector<int64_t>(static_cast<size_t>(n)));
    CHECK(counters.values() ==
          StepCounters{.position = 75, .first = 70, .ghosts = 9, .correct = 4, .loss = 5, .stopped_at = 6});
    CHECK(counts.values() == UpdateCounts());
  }
}

TEST_CASE("add_to_sums rounds each gradient to whole units, of two equally near ones to the even one") {
  const auto backend = tested_backend(2);
  for (const int64_t n : lengths()) {
    CAPTURE(n);
    constexpr double kUnit = 0x1p-20;
    std::vector<real> gradients = noise(n, 1);
    for (size_t i = 0; i < gradients.size(); i += 5)  // halves
      gradients[i] = static_cast<real>((static_cast<double>(i) - 20.5) * kUnit);
    std::vector<int64_t> expected;
    for (const real gradient : gradients)
      expected.push_back(5 + static_cast<int64_t>(std::nearbyint(static_cast<double>(gradient) / kUnit)));
    const Added added = add_ghosts(*backend, {gradients}, kUnit);
    CHECK(added.sums == expected);
    CHECK(added.counts == UpdateCounts());
  }
}

TEST_CASE("add_to_sums: neither the order of ghost batches nor the way they are grouped changes a sum") {
  const auto backend = tested_backend(2);
  constexpr int64_t kGhosts = 7, kCount = 1000;
  std::vector<std::vector<real>> ghosts;
  for (int64_t i = 0; i < kGhosts; ++i) ghosts.push_back(noise(kCount, static_cast<uint32_t>(i)));
  const Added in_order = add_ghosts(*backend, ghosts, gradient_unit(32));
  std::rotate(ghosts.begin(), ghosts.begin() + 3, ghosts.end());
  std::swap(ghosts[0], ghosts[5]);
  CHECK(add_ghosts(*backend, ghosts, gradient_unit(32)).sums == in_order.sums);
  const Added first = add_ghosts(*backend, {ghosts.begin(), ghosts.begin() + 2}, gradient_unit(32)),
              second = add_ghosts(*backend, {ghosts.begin() + 2, ghosts.end()}, gradient_unit(32));
  for (size_t i = 0; i < kCount; ++i) CHECK(first.sums[i] + second.sums[i] - 5 == in_order.sums[i]);
  // All of them in one call, with a gap behind each.
  constexpr int64_t kStride = kCount + 24;
  std::vector<real> all;
  for (const std::vector<real>& ghost : ghosts) {
    all.insert(all.end(), ghost.begin(), ghost.end());
    all.resize(all.size() + kStride - kCount, static_cast<real>(kNan));
  }
  const Buffer<real> gradients(*backend, all);
  Buffer<int64_t> sums(*backend, std::vector<int64_t>(kCount, 5));
  const Counters<StepCounters> counters(*backend, {});
  const Counters<UpdateCounts> counts(*backend, {});
  run(*backend, AddToSums{.n = kCount,
                          .ghosts = kGhosts,
                          .ghost_stride = kStride,
                          .unit = gradient_unit(32),
                          .gradients = gradients,
                          .sums = sums,
                          .counters = counters,
                          .counts = counts});
  CHECK(sums.values() == in_order.sums);
  CHECK(counts.values().bad == 0);
}

TEST_CASE(
    "add_to_sums: no sum of as many ghost batches as announced overflows, and larger terms are refused") {
  const auto backend = tested_backend(2);
  for (const int64_t ghosts : {1, 2048, 2049, 1 << 20}) {
    CAPTURE(ghosts);
    const SumFormat format = gradient_format(gradient_unit(128), ghosts);
    CHECK(format.bound / format.unit * static_cast<double>(ghosts) <= 0x1p62);
    CHECK(format.bound <= 256 * 128);
    const StepCounters counters{.ghosts = ghosts};
    const auto below = std::nextafter(static_cast<real>(format.bound), real{0});
    for (const double sign : {-1.0, 1.0})
      for (const size_t place : {size_t{0}, size_t{17}, size_t{4097}}) {
        std::vector<real> gradients = noise(4098, 1);
        gradients[place] = static_cast<real>(sign) * below;
        const Added held = add_ghosts(*backend, {gradients}, format.unit, counters);
        CHECK(held.counts.bad == 0);
        CHECK(held.sums[place] == 5 + static_cast<int64_t>(sign * static_cast<double>(below) / format.unit));
        for (const double bad : {format.bound, kInfinity, kNan}) {
          gradients[place] = static_cast<real>(sign * bad);
          const Added refused = add_ghosts(*backend, {gradients}, format.unit, counters);
          CHECK(refused.counts == UpdateCounts{.bad = 1});
        }
      }
  }
}

TEST_CASE("gradient_unit: the mean of a ghost batch in steps of 2^-43 to 2^-42") {
  CHECK(gradient_unit(1) == 0x1p-43);
  CHECK(gradient_unit(2) == 0x1p-42);
  CHECK(gradient_unit(3) == 0x1p-41);
  CHECK(gradient_unit(128) == 0x1p-36);
  CHECK(gradient_unit(129) == 0x1p-35);
}

TEST_CASE("add_statistics: each ghost batch with its weight, whatever the cut into calls") {
  const auto backend = tested_backend(2);
  constexpr int64_t kGhosts = 6, kGhost = 2, kPixels = 3, kFirst = 40;
  constexpr double kMomentum = 0.1;
  for (const bool mean_of_ghosts : {false, true})
    for (const int64_t channels : {1, 3, 70}) {
      CAPTURE(mean_of_ghosts);
      CAPTURE(channels);
      const std::vector<real> means = noise(kGhosts * channels, 1), variances = noise(kGhosts * channels, 2);
      // Adds the update's ghost batches in calls of these sizes, each at its position; the last call comes
      // first.
      const auto add = [&](const std::vector<int64_t>& sizes) {
        Buffer<int64_t> mean_sums(*backend, std::vector<int64_t>(static_cast<size_t>(channels))),
            variance_sums(*backend, std::vector<int64_t>(static_cast<size_t>(channels)));
        int64_t end = kGhosts;
        for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) {
          const int64_t begin = end - *size;
          const Counters<StepCounters> counters(
              *backend, {.position = kFirst + begin * kGhost, .first = kFirst, .ghosts = kGhosts});
          const Counters<UpdateCounts> counts(*backend, {});
          const Buffer<real> mean(*backend,
                                  {means.begin() + begin * channels, means.begin() + end * channels}),
              variance(*backend, {variances.begin() + begin * channels, variances.begin() + end * channels});
          run(*backend, AddStatistics{.geometry = {.n = *size * kGhost,
                                                   .pixels = kPixels,
                                                   .c = channels,
                                                   .ghost = kGhost,
                                                   .epsilon = 0,
                                                   .relu = false},
                                      .momentum = kMomentum,
                                      .mean_of_ghosts = mean_of_ghosts,
                                      .mean = mean,
                                      .variance = variance,
                                      .mean_sums = mean_sums,
                                      .variance_sums = variance_sums,
                                      .counters = counters,
                                      .counts = counts});
          CHECK(counts.values() == UpdateCounts());
          end = begin;
        }
        std::vector<int64_t> all = mean_sums.values();
        const std::vector<int64_t> rest = variance_sums.values();
        all.insert(all.end(), rest.begin(), rest.end());
        return all;
      };
      const std::vector<int64_t> whole = add({kGhosts});
      CHECK(add({1, 1, 1, 1, 1, 1}) == whole);
      CHECK(add({2, 1, 3}) == whole);
      for (int64_t c = 0; c < channels; ++c) {
        double mean = 0, variance = 0;
        for (int64_t ghost = 0; ghost < kGhosts; ++ghost) {
          const double weight =
              mean_of_ghosts ? kMomentum / kGhosts
                             : kMomentum * std::pow(1 - kMomentum, static_cast<double>(kGhosts - 1 - ghost));
          const auto i = static_cast<size_t>(ghost * channels + c);
          mean += weight * static_cast<double>(means[i]);
          variance += weight * static_cast<double>(variances[i]) * 6 / 5;
        }
        constexpr double kBound =
            (kGhosts * 0.5 + 0.01) * kStatisticUnit;  // half a unit each, and double's rounding
        CHECK(std::abs(kStatisticUnit * static_cast<double>(whole[static_cast<size_t>(c)]) - mean) <= kBound);
        CHECK(std::abs(kStatisticUnit * static_cast<double>(whole[static_cast<size_t>(channels + c)]) -
                       variance) <= kBound);
      }
    }
}

TEST_CASE(
    "add_statistics: the variance of single elements is zero, and what has no place in a sum is refused") {
  const auto backend = tested_backend(2);
  const auto add = [&](double mean_value, double variance_value, int64_t pixels) {
    const Counters<StepCounters> counters(*backend, {});
    const Counters<UpdateCounts> counts(*backend, {});
    std::vector<real> means(300), variances(300);
    means[299] = static_cast<real>(mean_value);
    variances[299] = static_cast<real>(variance_value);
    const Buffer<real> mean(*backend, means), variance(*backend, variances);
    Buffer<int64_t> mean_sums(*backend, std::vector<int64_t>(300)),
        variance_sums(*backend, std::vector<int64_t>(300));
    run(*backend,
        AddStatistics{
            .geometry = {.n = 1, .pixels = pixels, .c = 300, .ghost = 1, .epsilon = 0, .relu = false},
            .momentum = 0.5,
            .mean_of_ghosts = false,
            .mean = mean,
            .variance = variance,
            .mean_sums = mean_sums,
            .variance_sums = variance_sums,
            .counters = counters,
            .counts = counts});
    return std::tuple(counts.values().bad, mean_sums.values()[299], variance_sums.values()[299]);
  };
  CHECK(add(2, 3, 1) == std::tuple(0, int64_t{1} << 32, 0));
  CHECK(add(2, 3, 2) == std::tuple(0, int64_t{1} << 32, int64_t{3} << 32));
  CHECK(add(-0x1p29, 0, 2) == std::tuple(0, -(int64_t{1} << 60), 0));
  for (const double bad : {0x1p30, -0x1p30, kInfinity, kNan}) {
    CHECK(add(bad, 1, 2) == std::tuple(1, 0, int64_t{1} << 32));
    CHECK(add(1, bad, 2) == std::tuple(1, int64_t{1} << 31, 0));
  }
}

TEST_CASE("take_sums returns sums as reals, blended with earlier values, unless the counters have stopped") {
  const auto backend = tested_backend(2);
  for (const int64_t n : lengths())
    for (const double keep : {0.0, 0.75})
      for (const int64_t stopped_at : {-1, 0}) {
        CAPTURE(n);
        CAPTURE(keep);
        const std::vector<real> before = keep == 0 ? poison(n) : noise(n, 1);
        std::vector<int64_t> values;
        std::vector<real> expected;
        for (int64_t i = 0; i < n; ++i) {
          values.push_back((i % 2 == 0 ? 1 : -1) * (int64_t{1} << i % 62) + i);
          const double sum = 0x1p-30 * static_cast<double>(values.back());
          const auto old = static_cast<double>(before[static_cast<size_t>(i)]);
          expected.push_back(static_cast<real>(keep == 0 ? sum : sum + keep * old));
        }
        const Counters<StepCounters> counters(*backend, {.stopped_at = stopped_at});
        const Buffer<int64_t> sums(*backend, values);
        Buffer<real> to(*backend, before);
        run(*backend,
            TakeSums{.n = n, .unit = 0x1p-30, .keep = keep, .sums = sums, .to = to, .counters = counters});
        if (stopped_at == 0)
          check_same_bits(to.values(), before);
        else if (keep == 0)
          check_same_bits(to.values(), expected);
        else
          check_close(to.values(), {expected.begin(), expected.end()}, sum_tolerance(1, 1));
      }
}

TEST_CASE("sum_of_squares adds up in double") {
  const auto backend = tested_backend(2);
  for (const int64_t n : lengths()) {
    const std::vector<real> x = noise(n, 1);
    double expected = 0;
    for (const real v : x) expected += static_cast<double>(v) * static_cast<double>(v);
    const Buffer<real> buffer(*backend, x);
    Buffer<double> result(*backend, {std::numeric_limits<double>::quiet_NaN()});
    run(*backend, SumOfSquares{.n = n, .x = buffer, .result = result});
    CHECK(std::abs(result.values()[0] - expected) <= 1e-15 * static_cast<double>(n) * expected);
  }
}

TEST_CASE("add_square keeps small and large squares, in any order") {
  const auto backend = tested_backend(2);
  constexpr int64_t kGhosts = 5000;
  const double bound = square_format(kGhosts).bound;
  CHECK(bound / kSquareUnit * kGhosts <= 0x1p62);
  const Counters<StepCounters> counters(*backend, {.ghosts = kGhosts});
  const auto add = [&](const std::vector<double>& squares) {
    const Counters<UpdateCounts> counts(*backend, {.loss = 3, .correct = 2});
    for (const double square : squares) {
      const Buffer<double> buffer(*backend, {square});
      run(*backend, AddSquare{.scale = 0.25, .square = buffer, .counters = counters, .counts = counts});
    }
    CHECK(counts.values().loss == 3);
    CHECK(counts.values().correct == 2);
    return counts.values();
  };
  // The sum of terms that are exact in both units has no error.
  std::vector<double> squares = {4 * 1234567.0, 4 * 0x3p-40, 4 * 0.0078125, 4 * 0x5p-53, 4 * 98765.4375};
  const UpdateCounts sums = add(squares);
  CHECK(sums.bad == 0);
  CHECK(sum_of_squares(sums) == 1234567.0 + 0x3p-40 + 0.0078125 + 0x5p-53 + 98765.4375);
  CHECK(sums.small_squares % 8 == 5);
  std::reverse(squares.begin(), squares.end());
  CHECK(add(squares) == sums);
  for (const auto& [square, bad] :
       {std::pair(3.99 * bound, 0), {4.01 * bound, 1}, {kInfinity, 1}, {kNan, 1}}) {
    const UpdateCounts counts = add({4.0, square});
    CHECK(counts.bad == bad);
    if (bad == 1) CHECK(sum_of_squares(counts) == 1);
  }
}

TEST_CASE("count_samples adds losses and hits, however the samples are cut") {
  const auto backend = tested_backend(2);
  for (const int64_t ghost : {1, 3, 32, 33, 128}) {
    CAPTURE(ghost);
    constexpr int64_t kGhosts = 19;
    const int64_t n = ghost * kGhosts;
    const std::vector<real> losses = noise(n, 1);
    std::vector<int32_t> hits;
    for (int64_t i = 0; i < n; ++i) hits.push_back(static_cast<int32_t>(i * i % 3 == 1));
    const auto count = [&](int64_t ghosts_at_once) {
      const Counters<StepCounters> counters(*backend,
                                            {.position = 50, .ghosts = kGhosts, .correct = 7, .loss = 0.25});
      const Counters<UpdateCounts> counts(*backend, {.loss = 3, .correct = 2});
      for (int64_t first = 0; first < n; first += ghosts_at_once * ghost) {
        const int64_t samples = std::min(ghosts_at_once * ghost, n - first);
        const Buffer<real> part(*backend, {losses.begin() + first, losses.begin() + first + samples});
        const Buffer<int32_t> hit(*backend, {hits.begin() + first, hits.begin() + first + samples});
        run(*backend, CountSamples{.geometry = {.n = samples, .ghost = ghost},
                                   .losses = part,
                                   .correct = hit,
                                   .counters = counters,
                                   .counts = counts});
      }
      CHECK(counters.values() ==
            StepCounters{.position = 50 + n, .ghosts = kGhosts, .correct = 7, .loss = 0.25});
      return counts.values();
    };
    UpdateCounts expected{.loss = 3, .correct = 2 + std::accumulate(hits.begin(), hits.end(), int64_t{0})};
    for (const real loss : losses)
      expected.loss += static_cast<int64_t>(std::nearbyint(static_cast<double>(loss) / kLossUnit));
    for (const int64_t at_once : {int64_t{1}, int64_t{5}, int64_t{8}, kGhosts})
      CHECK(count(at_once) == expected);
  }
}

TEST_CASE("count_samples refuses a loss that has no place in the update's sum") {
  const auto backend = tested_backend(2);
  constexpr int64_t kGhost = 300, kGhosts = 4;
  const double bound = loss_format(kGhost * kGhosts).bound;
  CHECK(bound / kLossUnit * kGhost * kGhosts <= 0x1p62);
  for (const auto& [loss, bad] :
       {std::pair(0.99 * bound, 0), {1.01 * bound, 1}, {kInfinity, 1}, {-kInfinity, 1}, {kNan, 1}}) {
    std::vector<real> losses(kGhost, 1);
    losses[kGhost - 1] = static_cast<real>(loss);
    const Counters<StepCounters> counters(*backend, {.ghosts = kGhosts});
    const Counters<UpdateCounts> counts(*backend, {});
    const Buffer<real> buffer(*backend, losses);
    const Buffer<int32_t> hits(*backend, std::vector<int32_t>(kGhost));
    run(*backend, CountSamples{.geometry = {.n = kGhost, .ghost = kGhost},
                               .losses = buffer,
                               .correct = hits,
                               .counters = counters,
                               .counts = counts});
    CHECK(counts.values().bad == bad);
    if (bad == 1) CHECK(counts.values().loss == (int64_t{kGhost - 1} << 32));
  }
}

TEST_CASE("check_finite finds a gradient that is infinite or NaN") {
  const auto backend = tested_backend(2);
  constexpr int64_t kCount = 10000;
  const auto check = [&](const std::vector<real>& gradients, int64_t before) {
    const Buffer<real> buffer(*backend, gradients);
    const Counters<UpdateCounts> counts(*backend, {.loss = 8, .bad = before});
    run(*backend,
        CheckFinite{.n = static_cast<int64_t>(gradients.size()), .gradients = buffer, .counts = counts});
    CHECK(counts.values().loss == 8);
    return counts.values().bad;
  };
  CHECK(check({}, 0) == 0);
  CHECK(check(noise(kCount, 1), 0) == 0);
  CHECK(check(noise(kCount, 1), 1) == 1);
  for (const int64_t place : {int64_t{0}, int64_t{1}, int64_t{31}, int64_t{4096}, kCount - 1})
    for (const double value : {kNan, kInfinity, -kInfinity}) {
      std::vector<real> x = noise(kCount, 1);
      x[static_cast<size_t>(place)] = static_cast<real>(value);
      CHECK(check(x, 0) == 1);
    }
}

TEST_CASE("end_update adds the counts, or stops the counters at the first bad update") {
  const auto backend = tested_backend(2);
  const auto end = [&](const UpdateCounts& update, int64_t stopped_at) {
    const Counters<StepCounters> counters(
        *backend,
        {.position = 90, .first = 10, .ghosts = 2, .correct = 4, .loss = 0.5, .stopped_at = stopped_at});
    const Counters<UpdateCounts> counts(*backend, update);
    run(*backend, EndUpdate{.counters = counters, .counts = counts});
    CHECK(counts.values() == UpdateCounts{.squares = update.squares, .small_squares = update.small_squares});
    return counters.values();
  };
  const auto expected = [](int64_t correct, double loss, int64_t stopped_at) {
    return StepCounters{
        .position = 90, .first = 10, .ghosts = 2, .correct = correct, .loss = loss, .stopped_at = stopped_at};
  };
  CHECK(end({.loss = int64_t{3} << 31, .correct = 5, .squares = 6, .small_squares = 7}, -1) ==
        expected(9, 2, -1));
  CHECK(end({.loss = 100, .correct = 5, .bad = 1}, -1) == expected(4, 0.5, 10));
  CHECK(end({.loss = 100, .correct = 5, .bad = 1}, 20) == expected(4, 0.5, 20));
}

}  // namespace crescendo::test
