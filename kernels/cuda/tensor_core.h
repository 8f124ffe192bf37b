// The tensor cores' instructions for bf16, and those that load their operands (PTX ISA: mma.m16n8k16,
// ldmatrix, cp.async; from sm_80 on). Compiled as plain C++, they call the tests' stand-ins. Lane l of a warp
// holds:
//   a [16,16]  rows l / 4 and l / 4 + 8, at k = 2 (l % 4) and the next; then the same at k + 8
//   b [16,8]   column l / 4, at k = 2 (l % 4) and the next; then the same at k + 8
//   c [16,8]   row l / 4, columns 2 (l % 4) and the next; then the same in row l / 4 + 8
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace crescendo::cuda {

// c += a * b. The whole warp must take part.
__device__ inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef __CUDACC__
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  emulated_mma_bf16(c, a, b);
#endif
}

#ifdef __CUDACC__
__device__ inline uint32_t shared_address(const void* place) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(place));
}
#endif

// Loads four matrices of 8 x 8 two-byte values from shared memory. The whole warp must take part:
// lane 8 i + j passes the address of row j of matrix i, which is 16 bytes long and aligned to 16.
// Lane l receives row l / 4, columns 2 (l % 4) and the next, of each matrix.
__device__ inline void load_matrix_x4(uint32_t (&to)[4], const void* row) {
#ifdef __CUDACC__
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
#else
  emulated_load_matrix_x4(to, row);
#endif
}

// Loads like load_matrix_x4, but lane l receives column l / 4, rows 2 (l % 4) and the next, of each matrix.
__device__ inline void load_matrix_x4_transposed(uint32_t (&to)[4], const void* row) {
#ifdef __CUDACC__
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
#else
  emulated_load_matrix_x4_transposed(to, row);
#endif
}

// Starts to copy 16 bytes from global to shared memory, both aligned to 16. If `zeros`, writes zeros and does
// not read `from`. The copy goes through the L1 cache, where the taps of a filter find each other's pixels.
__device__ inline void copy_async(void* to, const void* from, bool zeros) {
#ifdef __CUDACC__
  asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(shared_address(to)), "l"(__cvta_generic_to_global(from)), "r"(zeros ? 0 : 16)
               : "memory");
#else
  emulated_copy_async(to, from, zeros);
#endif
}

// Makes a group of the copies that this thread has started since its last group.
__device__ inline void commit_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  emulated_commit_copies();
#endif
}

// Waits until all of this thread's groups but the newest `Running` have arrived.
// Other threads see them after a barrier.
template <int Running>
__device__ void wait_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" : : "n"(Running) : "memory");
#else
  emulated_wait_copies(Running);
#endif
}

}  // namespace crescendo::cuda
