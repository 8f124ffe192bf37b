// Found in place of CUDA's header, it has kernels compiled by a C++ compiler and run by the emulator: what
// kernels and their launches use, and no more. Static __shared__ variables and __activemask are left out.
#pragma once

#include <bit>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../emulator.h"
#include "../tensor_core.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

#define threadIdx (::crescendo::emulation::thread_index())
#define blockIdx (::crescendo::emulation::block_index())
#define blockDim (::crescendo::emulation::block_extent())
#define gridDim (::crescendo::emulation::grid_extent())

constexpr int warpSize = crescendo::emulation::kWarpSize;

using uint3 = crescendo::emulation::Index;
using dim3 = crescendo::emulation::Extent;

// The block's dynamic shared memory.
inline void* emulated_shared_memory() { return crescendo::emulation::shared_memory(); }

inline void __syncthreads(crescendo::emulation::Position at = crescendo::emulation::Position::here()) {
  crescendo::emulation::barrier(at);
}

inline void __syncwarp(unsigned mask = 0xFFFFFFFF,
                       crescendo::emulation::Position at = crescendo::emulation::Position::here()) {
  using namespace crescendo::emulation;
  exchange({Operation::synchronise, mask, 0, 0, kWarpSize, at});
}

inline unsigned __ballot_sync(unsigned mask, int predicate,
                              crescendo::emulation::Position at = crescendo::emulation::Position::here()) {
  using namespace crescendo::emulation;
  return static_cast<unsigned>(exchange({Operation::ballot, mask, 0, predicate != 0, kWarpSize, at}));
}

inline int __any_sync(unsigned mask, int predicate,
                      crescendo::emulation::Position at = crescendo::emulation::Position::here()) {
  return __ballot_sync(mask, predicate, at) != 0;
}

inline int __all_sync(unsigned mask, int predicate,
                      crescendo::emulation::Position at = crescendo::emulation::Position::here()) {
  return __ballot_sync(mask, predicate == 0, at) == 0;
}

namespace crescendo::emulation {

template <class T>
T shuffle(Operation operation, unsigned mask, T value, unsigned argument, int width, Position at) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = exchange({operation, mask, bits, argument, static_cast<unsigned>(width), at});
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace crescendo::emulation

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = warpSize,
              crescendo::emulation::Position at = crescendo::emulation::Position::here()) {
  using namespace crescendo::emulation;
  return shuffle(Operation::shuffle, mask, value, static_cast<unsigned>(lane), width, at);
}

template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                 crescendo::emulation::Position at = crescendo::emulation::Position::here()) {
  using namespace crescendo::emulation;
  return shuffle(Operation::shuffle_up, mask, value, delta, width, at);
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                   crescendo::emulation::Position at = crescendo::emulation::Position::here()) {
  using namespace crescendo::emulation;
  return shuffle(Operation::shuffle_down, mask, value, delta, width, at);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize,
                  crescendo::emulation::Position at = crescendo::emulation::Position::here()) {
  using namespace crescendo::emulation;
  return shuffle(Operation::shuffle_xor, mask, value, static_cast<unsigned>(lane_mask), width, at);
}

using cudaStream_t = struct CUstream_st*;

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1 };
enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "invalid argument";
}

// Errors of launches are thrown.
inline cudaError_t cudaGetLastError() { return cudaSuccess; }

inline cudaError_t cudaMemsetAsync(void* to, int byte, size_t bytes, cudaStream_t = nullptr) {
  std::memset(to, byte, bytes);
  return cudaSuccess;
}

inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind,
                                   cudaStream_t = nullptr) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

template <class... P>
cudaError_t cudaFuncSetAttribute(void (*kernel)(P...), cudaFuncAttribute, int bytes) {
  const bool allowed = bytes >= 0 && crescendo::emulation::allow_shared_memory(
                                         reinterpret_cast<const void*>(kernel), static_cast<size_t>(bytes));
  return allowed ? cudaSuccess : cudaErrorInvalidValue;
}

// Runs the kernel to its end. `arguments` points to one value of the parameter's type for each.
template <class... P>
cudaError_t cudaLaunchKernel(void (*kernel)(P...), dim3 grid, dim3 block, void** arguments,
                             size_t shared_bytes = 0, cudaStream_t = nullptr) {
  static_assert((!std::is_reference_v<P> && ...), "a kernel takes its parameters by value");
  const auto copies = [&]<size_t... i>(std::index_sequence<i...>) {
    return std::tuple<std::remove_cv_t<P>...>(*static_cast<const std::remove_cv_t<P>*>(arguments[i])...);
  }
  (std::index_sequence_for<P...>{});
  crescendo::emulation::run({reinterpret_cast<const void*>(kernel), grid, block, shared_bytes},
                            [&] { std::apply(kernel, copies); });
  return cudaSuccess;
}
