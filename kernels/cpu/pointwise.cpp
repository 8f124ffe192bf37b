// Pointwise operations, with the formulas of kernels/pointwise.h, and reductions over flat stores.
#include "kernels/pointwise.h"

#include <array>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// Largest number of spans into which a whole-array reduction is divided, whatever the number of threads.
constexpr int64_t kSpans = 64;

struct Span {
  int64_t begin, end;
};
Span span_of(int64_t n, int64_t index) {
  const int64_t length = ((n + kSpans - 1) / kSpans + 15) / 16 * 16;
  return {std::min(n, index * length), std::min(n, (index + 1) * length)};
}

}  // namespace

void CpuBackend::compute(const Dropout& c) {
  const DropoutGeometry& g = c.geometry;
  const real* from = values_of(c.x);
  real* to = values_of(c.y);
  const real factor = static_cast<real>(1 / g.keep);
  const int64_t position = position_of(c.counters);
  parallel_for(g.n, [&](int64_t image, int) {
    PhiloxWords words{};
    for (int64_t i = 0; i < g.elements; ++i) {
      if (i % 4 == 0) words = dropout_words(g, static_cast<uint64_t>(position + image), i / 4);
      const int64_t at = image * g.elements + i;
      const real kept = dropout_keeps(g, words.word[i % 4]) ? from[at] * factor : real{0};
      to[at] = c.write == Write::add ? to[at] + kept : kept;
    }
  });
}

void CpuBackend::compute(const CopyChannels& c) {
  const ChannelSlice& g = c.geometry;
  if (g.count == 0) return;
  const int64_t piece = std::max<int64_t>(1, kPiece / g.count);
  parallel_for((g.rows + piece - 1) / piece, [&](int64_t index, int) {
    const int64_t end = std::min(g.rows, (index + 1) * piece);
    for (int64_t row = index * piece; row < end; ++row) {
      const real* x = values_of(c.from) + row * g.from_channels + g.from_offset;
      real* y = values_of(c.to) + row * g.to_channels + g.to_offset;
      if (c.write == Write::add)
        for (int64_t i = 0; i < g.count; ++i) y[i] += x[i];
      else
        std::copy(x, x + g.count, y);
    }
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
  *c.result = c.write == Write::add ? *c.result + total : total;
}

void CpuBackend::compute(const CheckFinite& c) {
  if (is_stopped(c.counters)) return;
  std::array<bool, kSpans> finite{};
  parallel_for(kSpans, [&](int64_t index, int) {
    const Span span = span_of(c.n, index);
    finite[static_cast<size_t>(index)] = std::all_of(c.gradients + span.begin, c.gradients + span.end,
                                                     [](real v) { return std::isfinite(v); });
  });
  const bool all = std::all_of(finite.begin(), finite.end(), [](bool f) { return f; });
  if (!all || !std::isfinite(c.counters->loss)) c.counters->stopped_at = c.counters->position;
}

}  // namespace crescendo::CRESCENDO_CPU
