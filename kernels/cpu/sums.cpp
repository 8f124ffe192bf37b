// The sums of an update (kernels/calls/sums.h).
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/exact_sum.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// Largest number of spans into which a reduction of a flat store is divided, whatever the number of threads.
constexpr int64_t kSpans = 64;

struct Span {
  int64_t begin, end;
};
Span span_of(int64_t n, int64_t index) {
  const int64_t length = ((n + kSpans - 1) / kSpans + 15) / 16 * 16;
  return {std::min(n, index * length), std::min(n, (index + 1) * length)};
}

// Returns true if f(begin, end) returns true for one of the spans of [0, n).
template <class F>
bool any_span(const Threads& threads, int64_t n, const F& f) {
  std::array<bool, kSpans> found{};
  parallel_for(threads, kSpans, [&](int64_t index, int) {
    const Span span = span_of(n, index);
    found[static_cast<size_t>(index)] = f(span.begin, span.end);
  });
  return std::any_of(found.begin(), found.end(), [](bool one) { return one; });
}

// Adds gradients to sums; returns true if one of them cannot be a term. The terms are those of
// SumFormat::units(). A number below 2^51 that is added to 1.5 * 2^52 is rounded to an integer, which can be
// read from the last bits of the result. Sums are unsigned because others may overflow.
bool add_units(const SumFormat& format, int64_t n, const real* gradients, uint64_t* sums) {
  constexpr double kShift = 0x1.8p52;
  const double per_unit = format.per_unit;
  const real bound = static_cast<real>(format.bound);
  int bad = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double shifted = static_cast<double>(gradients[i]) * per_unit + kShift;
    sums[i] += std::bit_cast<uint64_t>(shifted) - std::bit_cast<uint64_t>(kShift);
    bad |= std::fabs(gradients[i]) < bound ? 0 : 1;
  }
  return bad != 0;
}

}  // namespace

void CpuBackend::compute(const BeginUpdate& c) {
  each(c.n, [sums = c.sums](int64_t i) { sums[i] = 0; });
  c.counters->first = c.first;
  c.counters->position = c.position;
  c.counters->ghosts = c.ghosts;
  *c.counts = {};
}

void CpuBackend::compute(const AddToSums& c) {
  const SumFormat format = gradient_format(c.unit, c.counters->ghosts);
  if (any_span(threads_, c.n, [&](int64_t begin, int64_t end) {
        bool bad = false;
        for (int64_t ghost = 0; ghost < c.ghosts; ++ghost)
          bad |= add_units(format, end - begin, c.gradients + ghost * c.ghost_stride + begin,
                           reinterpret_cast<uint64_t*>(c.sums) + begin);
        return bad;
      }))
    c.counts->bad = 1;
}

void CpuBackend::compute(const AddStatistics& c) {
  const BatchNormGeometry& g = c.geometry;
  const StatisticTerms terms(g, c.momentum, c.mean_of_ghosts, *c.counters);
  for (int64_t ghost = 0; ghost < (g.n == 0 ? 0 : g.ghosts()); ++ghost) {
    const double weight = terms.weight(ghost);
    for (int64_t channel = 0; channel < g.c; ++channel) {
      const int64_t i = ghost * g.c + channel;
      const bool mean = StatisticTerms::add(weight, c.mean[i], c.mean_sums[channel]);
      const bool variance =
          StatisticTerms::add(weight, terms.unbiased * c.variance[i], c.variance_sums[channel]);
      if (!mean || !variance) c.counts->bad = 1;
    }
  }
}

void CpuBackend::compute(const TakeSums& c) {
  if (is_stopped(c.counters)) return;
  each(c.n, [unit = c.unit, keep = c.keep, sums = c.sums, to = c.to](int64_t i) {
    to[i] = taken_sum(unit, sums[i], keep, to[i]);
  });
}

void CpuBackend::compute(const SumOfSquares& c) {
  const real* x = c.x;
  std::array<double, kSpans> sums{};
  parallel_for(kSpans, [&](int64_t index, int) {
    const Span span = span_of(c.n, index);
    double lanes[8] = {};  // eight sums side by side, so that the compiler vectorises the loop
    int64_t i = span.begin;
    for (; i + 8 <= span.end; i += 8)
      for (int lane = 0; lane < 8; ++lane) {
        const double v = x[i + lane];
        lanes[lane] += v * v;
      }
    for (; i < span.end; ++i) lanes[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    for (const double lane : lanes) sums[static_cast<size_t>(index)] += lane;
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  *c.result = total;
}

void CpuBackend::compute(const AddSquare& c) {
  add_square(c.scale * *c.square, c.counters->ghosts, *c.counts);
}

void CpuBackend::compute(const CountSamples& c) {
  const SampleCount& g = c.geometry;
  const SumFormat format = loss_format(c.counters->ghosts * g.ghost);
  for (int64_t i = 0; i < g.n; ++i) {
    const double loss = c.losses[i];
    if (!format.holds(loss)) c.counts->bad = 1;
    c.counts->loss += format.units(loss);
    c.counts->correct += c.correct[i];
  }
  c.counters->position += g.n;
}

void CpuBackend::compute(const CheckFinite& c) {
  if (any_span(threads_, c.n, [&](int64_t begin, int64_t end) {
        return !std::all_of(c.gradients + begin, c.gradients + end, [](real v) { return std::isfinite(v); });
      }))
    c.counts->bad = 1;
}

void CpuBackend::compute(const EndUpdate& c) { end_update(*c.counters, *c.counts); }

}  // namespace crescendo::CRESCENDO_CPU
