// HD marks a function that CUDA kernels call too. Where nvcc does not compile, it is empty.
#pragma once

#ifdef __CUDACC__
#define HD __host__ __device__
#else
#define HD
#endif
