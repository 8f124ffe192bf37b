#include "peak.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <memory>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"
#include "program.h"

namespace crescendo::bench {

using namespace CRESCENDO_CPU;

namespace {

constexpr int kTries = 20;

// Number of chains of dependent multiply-adds side by side:
// enough to hide their latency, and few enough for 16 registers.
constexpr int kChains = 12;
constexpr int64_t kSteps = 2'000'000;

// sum = sum * factor + term tends to term / (1 - factor): the values neither overflow nor become denormal.
// The compiler knows neither operand, and must keep the sums because they are read.
void multiply_add_chains(real factor_value, real term_value) {
  benchmark::DoNotOptimize(factor_value);
  benchmark::DoNotOptimize(term_value);
  const Vector factor = broadcast(&factor_value), term = broadcast(&term_value);
  Vector sums[kChains];
  for (Vector& sum : sums) sum = zero();
  for (int64_t step = 0; step < kSteps; ++step)
    for (Vector& sum : sums) sum = multiply_add(sum, factor, term);
  for (const Vector& sum : sums) {
    std::array<real, kLanes> lanes{};
    store(lanes.data(), sum);
    benchmark::DoNotOptimize(lanes);
  }
}

double measure_multiply_adds(const Threads& threads) {
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const Stopwatch watch;
    parallel_for(threads, threads.count(), [](int64_t, int) { multiply_add_chains(real(0.75), real(0.25)); });
    best = std::max(best, static_cast<double>(threads.count() * kSteps * kChains * kLanes) / watch.seconds());
  }
  return best;
}

// McCalpin's STREAM triad, a = b + s * c, over arrays that no cache holds. It counts two reads and a write.
constexpr int64_t kTriadElements = int64_t{1} << 24;

double measure_bytes(const Threads& threads) {
  const auto a = std::make_unique_for_overwrite<real[]>(kTriadElements);
  const auto b = std::make_unique_for_overwrite<real[]>(kTriadElements);
  const auto c = std::make_unique_for_overwrite<real[]>(kTriadElements);
  // Each thread writes first to the elements that it will read, so that their memory is near its core.
  each(threads, kTriadElements, [&](int64_t i) { a[i] = 0, b[i] = 1, c[i] = 2; });
  real factor = 3;
  benchmark::DoNotOptimize(factor);
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const Stopwatch watch;
    each(threads, kTriadElements,
         [&, to = a.get(), x = b.get(), y = c.get()](int64_t k) { to[k] = x[k] + factor * y[k]; });
    best = std::max(best, 3.0 * kTriadElements * sizeof(real) / watch.seconds());
    benchmark::DoNotOptimize(a[kTriadElements / 2]);
  }
  return best;
}

}  // namespace

Peak measure_peak(int threads) {
  const Threads team(threads);
  return {measure_multiply_adds(team), measure_bytes(team)};
}

}  // namespace crescendo::bench
