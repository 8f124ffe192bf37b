#include "kernels/cuda/cross_entropy.cuh"
#include "kernels/cuda/ghost_batch_norm.cuh"
#include "kernels/cuda/optimizer.cuh"
#include "kernels/cuda/pointwise.cuh"
#include "kernels/cuda/pool2d.cuh"
#include "kernels/cuda/samples.cuh"
#include "kernels/cuda/sums.cuh"

template class crescendo::cuda::OwnKernels<crescendo::bf16>;
