// Streaming stores, which bypass the cache, for results so large that they would leave the cache before
// anybody reads them. An ordinary store first reads the memory that it overwrites; a streaming store does
// not. The instruction depends on the instruction set that this file is compiled for.
#pragma once

#include <cstdint>

#include "kernels/cpu/simd.h"

namespace crescendo::CRESCENDO_CPU {

// Bytes that are expected to stay in the cache: about half of a usual third-level cache.
constexpr int64_t kCachedBytes = 16 << 20;

// Returns true if a result of `elements` elements, with `channels` in each pixel, should and can bypass the
// cache: it is larger than kCachedBytes, and every vector of channels is aligned.
inline bool goes_past_cache(const real* to, int64_t elements, int64_t channels) {
  return elements * static_cast<int64_t>(sizeof(real)) > kCachedBytes && channels % kLanes == 0 &&
         reinterpret_cast<uintptr_t>(to) % sizeof(Vector) == 0;
}

#if defined(__AVX512F__)
inline void stream(float* to, const __m512& v) { _mm512_stream_ps(to, v); }
inline void stream(double* to, const __m512d& v) { _mm512_stream_pd(to, v); }
inline void end_streaming() { _mm_sfence(); }
#elif defined(__AVX__)
inline void stream(float* to, const __m256& v) { _mm256_stream_ps(to, v); }
inline void stream(double* to, const __m256d& v) { _mm256_stream_pd(to, v); }
inline void end_streaming() { _mm_sfence(); }
#else
inline void stream(real* to, const Vector& v) { store(to, v); }
inline void end_streaming() {}
#endif

}  // namespace crescendo::CRESCENDO_CPU
