// One element at a time: what happens to it stands in kernels/pointwise.h.
#include "kernels/pointwise.h"

#include <array>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"

namespace crescendo::CRESCENDO_CPU {

namespace {

// Whole-array reductions are cut into at most this many spans, whatever the number of threads.
constexpr int64_t kSpans = 64;

struct Span {
  int64_t begin, end;
};
Span span_of(int64_t n, int64_t index) {
  const int64_t length = ((n + kSpans - 1) / kSpans + 15) / 16 * 16;
  return {std::min(n, index * length), std::min(n, (index + 1) * length)};
}

}  // namespace

void CpuBackend::relu_forward(int64_t n, const activation* x, activation* y) {
  each(n, [x = values_of(x), y = values_of(y)](int64_t i) { y[i] = relu_of(x[i]); });
}

void CpuBackend::relu_backward(int64_t n, const activation* y, const activation* dy, activation* dx,
                               Write write) {
  each_write(n, write, values_of(dx),
             [y = values_of(y), dy = values_of(dy)](int64_t i) { return relu_gradient(y[i], dy[i]); });
}

void CpuBackend::scale_add(int64_t n, const activation* a, double factor, const activation* b,
                           activation* y) {
  each(n, [a = values_of(a), f = static_cast<real>(factor), b = values_of(b), y = values_of(y)](int64_t i) {
    y[i] = a[i] + f * b[i];
  });
}

void CpuBackend::scale(int64_t n, double factor, const activation* dy, activation* dx, Write write) {
  each_write(n, write, values_of(dx),
             [f = static_cast<real>(factor), dy = values_of(dy)](int64_t i) { return f * dy[i]; });
}

void CpuBackend::dropout(const DropoutGeometry& g, const StepCounters* counters, const activation* x,
                         activation* y, Write write) {
  const real* from = values_of(x);
  real* to = values_of(y);
  const real factor = static_cast<real>(1 / g.keep);
  const int64_t position = position_of(counters);
  parallel_for(g.n, [&](int64_t image, int) {
    PhiloxWords words{};
    for (int64_t i = 0; i < g.elements; ++i) {
      if (i % 4 == 0) words = dropout_words(g, static_cast<uint64_t>(position + image), i / 4);
      const int64_t at = image * g.elements + i;
      const real kept = dropout_keeps(g, words.word[i % 4]) ? from[at] * factor : real{0};
      to[at] = write == Write::add ? to[at] + kept : kept;
    }
  });
}

void CpuBackend::copy_channels(const ChannelSlice& g, const activation* from, activation* to, Write write) {
  if (g.count == 0) return;
  const int64_t piece = std::max<int64_t>(1, kPiece / g.count);
  parallel_for((g.rows + piece - 1) / piece, [&](int64_t index, int) {
    const int64_t end = std::min(g.rows, (index + 1) * piece);
    for (int64_t row = index * piece; row < end; ++row) {
      const real* x = values_of(from) + row * g.from_channels + g.from_offset;
      real* y = values_of(to) + row * g.to_channels + g.to_offset;
      if (write == Write::add)
        for (int64_t i = 0; i < g.count; ++i) y[i] += x[i];
      else
        std::copy(x, x + g.count, y);
    }
  });
}

void CpuBackend::fill(int64_t n, double value, real* to) {
  each(n, [=, v = static_cast<real>(value)](int64_t i) { to[i] = v; });
}

void CpuBackend::fill_activations(int64_t n, double value, activation* to) { fill(n, value, values_of(to)); }

void CpuBackend::blend(int64_t n, double keep, double weight, const real* from, real* to) {
  each(n, [=, k = static_cast<real>(keep), w = static_cast<real>(weight)](int64_t i) {
    to[i] = k * to[i] + w * from[i];
  });
}

void CpuBackend::sum_of_squares(int64_t n, const real* x, double* result, Write write) {
  std::array<double, kSpans> sums{};
  parallel_for(kSpans, [&](int64_t index, int) {
    const Span span = span_of(n, index);
    double lanes[8] = {};  // eight sums side by side, so that the loop can be a vector's
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
  *result = write == Write::add ? *result + total : total;
}

void CpuBackend::check_finite(int64_t n, const real* gradients, StepCounters* counters) {
  if (is_stopped(counters)) return;
  std::array<bool, kSpans> finite{};
  parallel_for(kSpans, [&](int64_t index, int) {
    const Span span = span_of(n, index);
    finite[static_cast<size_t>(index)] =
        std::all_of(gradients + span.begin, gradients + span.end, [](real v) { return std::isfinite(v); });
  });
  const bool all = std::all_of(finite.begin(), finite.end(), [](bool f) { return f; });
  if (!all || !std::isfinite(counters->loss)) counters->stopped_at = counters->position;
}

}  // namespace crescendo::CRESCENDO_CPU
