// Neighbouring elements in one access of memory.
#pragma once

#include <cstdint>

#include "kernels/real.h"

namespace crescendo::cuda {

template <class T, int Width>
struct alignas(sizeof(T) * Width) Vector {
  T lanes[Width];
};

template <int Width, class T>
__device__ Vector<T, Width> load(const T* from) {
  return *reinterpret_cast<const Vector<T, Width>*>(from);
}
template <class T, int Width>
__device__ void store(T* to, const Vector<T, Width>& values) {
  *reinterpret_cast<Vector<T, Width>*>(to) = values;
}

// Whether vectors of that many elements may begin here.
template <class T>
bool is_aligned(const T* pointer, int width) {
  return reinterpret_cast<uintptr_t>(pointer) % (sizeof(T) * static_cast<size_t>(width)) == 0;
}

}  // namespace crescendo::cuda
