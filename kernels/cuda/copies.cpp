#include "kernels/cuda/copies.h"

#include <new>

namespace crescendo::cuda {

CopyStream::CopyStream(int device, cudaStream_t kernels)
    : device_(device), kernels_(kernels), copies_(device) {
  taken_.record(kernels_);  // kernels called before may still use the memory that is copied to
}

// Ignores an error: the stream's next call reports it.
CopyStream::~CopyStream() { (void)copied_.wait(); }

// Returns pinned memory, because the host would wait for a copy from other memory.
std::shared_ptr<void> CopyStream::host_memory(size_t bytes) {
  check(cudaSetDevice(device_), "device");  // the thread may not have called CUDA yet
  void* block = nullptr;
  const cudaError_t error = cudaHostAlloc(&block, bytes, cudaHostAllocDefault);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // clears the error, so that no later call reports it again
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
