// Stand-ins for the instructions of kernels/cuda/tensor_core.h (PTX ISA: mma.m16n8k16, ldmatrix, cp.async).
// Lanes hold the same fragments. mma and ldmatrix are collectives of the whole warp.
#pragma once

#include <cstdint>

// c [16,8] += a [16,16] * b [16,8], in bf16, summed in fp32 in order.
void emulated_mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);

// Load four matrices of 8 x 8 values of 16 bits; lane 8 i + j passes the address of row j of matrix i.
void emulated_load_matrix_x4(uint32_t (&to)[4], const void* row);
void emulated_load_matrix_x4_transposed(uint32_t (&to)[4], const void* row);

// Starts to copy 16 bytes, or zeros. The target holds NaN until a wait completes the copy.
void emulated_copy_async(void* to, const void* from, bool zeros);
void emulated_commit_copies();
void emulated_wait_copies(unsigned running);
