// Pointwise operations, with the formulas of kernels/pointwise.h.
#include "kernels/pointwise.h"

#include "kernels/cpu/cpu_backend.h"

namespace crescendo::CRESCENDO_CPU {

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

}  // namespace crescendo::CRESCENDO_CPU
