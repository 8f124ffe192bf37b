// Parallel loops. The caller divides a loop into pieces that do not depend on the number of threads, so the
// number affects speed, never results.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/threads.h"

namespace crescendo::CRESCENDO_CPU {

// Calls the function of a loop, which has the type F, for piece i.
template <class F>
void do_piece(const void* function, int64_t i, int thread) {
  (*static_cast<const F*>(function))(i, thread);
}

// Calls f(i, thread) for each i in [0, n), with the number of the calling thread in [0, threads.count()).
// After all calls have ended, rethrows the first exception.
template <class F>
void parallel_for(const Threads& threads, int64_t n, const F& f) {
  if (threads.count() == 1 || n <= 1) {
    for (int64_t i = 0; i < n; ++i) f(i, 0);
    return;
  }
  threads.run(n, do_piece<F>, &f);
}

// Elements in a piece of a pointwise loop, a multiple of every vector width.
constexpr int64_t kPiece = 4096;

// Calls f(i) for each i in [0, n), in pieces of kPiece.
template <class F>
void each(const Threads& threads, int64_t n, const F& f) {
  parallel_for(threads, (n + kPiece - 1) / kPiece, [&](int64_t piece, int) {
    const int64_t end = std::min(n, (piece + 1) * kPiece);
    for (int64_t i = piece * kPiece; i < end; ++i) f(i);
  });
}

}  // namespace crescendo::CRESCENDO_CPU
