// Vectors: adjacent elements in one memory access, aligned to their total size.
#pragma once

#include <cstdint>

#include "kernels/real.h"

namespace crescendo::cuda {

template <class T, int Width>
struct alignas(sizeof(T) * Width) Vector {
  T lanes[Width];
};

// Casts an address to that of a vector.
// A GPU faults on a misaligned one; in the emulation, sanitizers report it.
template <class V, class Memory>
__device__ V* vector_at(Memory* memory) {
#ifdef __CUDA_ARCH__
  return static_cast<V*>(memory);
#else
  return static_cast<V*>(__builtin_assume_aligned(memory, sizeof(V)));
#endif
}

template <int Width, class T>
__device__ Vector<T, Width> load(const T* from) {
  return *vector_at<const Vector<T, Width>, const void>(from);
}
// Loads a vector by accesses of `Access` elements: Width, or 1 for any address.
template <int Width, int Access, class T>
__device__ Vector<T, Width> load_by(const T* from) {
  if constexpr (Access == Width) {
    return load<Width>(from);
  } else {
    Vector<T, Width> values;
    for (int lane = 0; lane < Width; ++lane) values.lanes[lane] = from[lane];
    return values;
  }
}
template <class T, int Width>
__device__ void store(T* to, const Vector<T, Width>& values) {
  *vector_at<Vector<T, Width>, void>(to) = values;
}

// Returns true if vectors of `width` elements may start at this address.
template <class T>
bool is_aligned(const T* pointer, int width) {
  return reinterpret_cast<uintptr_t>(pointer) % (sizeof(T) * static_cast<size_t>(width)) == 0;
}

}  // namespace crescendo::cuda
