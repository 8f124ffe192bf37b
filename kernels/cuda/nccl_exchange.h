// The exchange of sums between GPUs by NCCL, which copies from GPU to GPU.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <string>

#include "kernels/backend.h"

namespace crescendo::cuda {

// Opens the exchange of all workers, who call this together, each with its own device and the stream of its
// kernels. Returns null on all of them if two of them share a device, for which NCCL is not made, or if the
// program was built without NCCL.
std::unique_ptr<SumExchange> make_nccl_exchange(Communicator& workers, int device, cudaStream_t kernels);

}  // namespace crescendo::cuda
