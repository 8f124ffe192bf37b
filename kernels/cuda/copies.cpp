#include "kernels/cuda/copies.h"

#include <new>

namespace crescendo::cuda {

CopyStream::CopyStream(int device, cudaStream_t kernels)
    : device_(device), kernels_(kernels), copies_(device) {
  taken_.record(kernels_);  // the memory that is copied to may have served kernels before
}

// An error is not news here: the stream's next call will have it.
CopyStream::~CopyStream() { (void)copied_.wait(); }

// Pinned, without which a copy would keep the host waiting.
std::shared_ptr<void> CopyStream::host_memory(size_t bytes) {
  check(cudaSetDevice(device_), "device");  // the thread may be one that has called nothing of CUDA yet
  void* block = nullptr;
  const cudaError_t error = cudaHostAlloc(&block, bytes, cudaHostAllocDefault);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // which would otherwise be reported again, by another call
    throw std::bad_alloc();
  }
  check(error, "pinned memory");
  return {block, [](void* memory) { cudaFreeHost(memory); }};
}

void CopyStream::start(const void* host, void* to, size_t bytes) {
  if (bytes == 0) return;
  taken_.hold(copies_.get());
  check(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, copies_.get()), "upload");
  copied_.record(copies_.get());
  copied_.hold(kernels_);
}

void CopyStream::taken() { taken_.record(kernels_); }

void CopyStream::wait() { check(copied_.wait(), "upload"); }

}  // namespace crescendo::cuda
