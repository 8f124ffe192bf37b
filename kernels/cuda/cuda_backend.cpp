#include "kernels/cuda/cuda_backend.h"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/cuda/copies.h"
#include "kernels/cuda/nccl_exchange.h"
#include "kernels/host_exchange.h"

namespace crescendo::cuda {

namespace {

static_assert(std::is_same_v<real, float>, "the CUDA backend has no double");

void* allocate_on_device(size_t bytes) {
  void* block = nullptr;
  const cudaError_t error = cudaMalloc(&block, bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the caller may free something and go on
    throw std::bad_alloc();
  }
  check(error, "allocate");
  return block;
}

}  // namespace

DeviceMemory::DeviceMemory(size_t bytes) : block_(allocate_on_device(bytes)), bytes_(bytes) {}

DeviceMemory::~DeviceMemory() { cudaFree(block_); }

void DeviceMemory::grow(size_t bytes) {
  if (bytes <= bytes_) return;
  cudaFree(block_);  // waits for kernels that use it
  block_ = nullptr;
  bytes_ = 0;
  block_ = allocate_on_device(bytes);
  bytes_ = bytes;
}

template <class T>
CudaBackend<T>::CudaBackend(int device, std::string name, Precision precision, ConvolutionAlgorithm algorithm)
    : device_(device),
      name_(std::move(name)),
      stream_(device),
      convolutions_(precision, stream_.get()),
      products_(precision, stream_.get()),
      workspace_(0),
      partials_(static_cast<size_t>(kPartials) * sizeof(double)),
      context_{.stream = stream_.get(), .workspace = workspace_.get(), .partials = partials_.get()},
      dispatch_(context_, convolutions_, products_, algorithm) {}

// ---- Memory

template <class T>
size_t CudaBackend<T>::free_memory() const {
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "free memory");
  return free;
}

template <class T>
void* CudaBackend<T>::allocate(size_t bytes) {
  return allocate_on_device(bytes);
}

template <class T>
void CudaBackend<T>::release(void* block, size_t) {
  cudaFree(block);
}

template <class T>
void CudaBackend<T>::upload(const void* host, void* to, size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, stream_.get()), "upload");
  check(cudaStreamSynchronize(stream_.get()), "upload");
}

template <class T>
void CudaBackend<T>::download(const void* from, void* host, size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, stream_.get()), "download");
  check(cudaStreamSynchronize(stream_.get()), "download");
}

template <class T>
void CudaBackend<T>::upload_activations(int64_t n, const float* host, activation* to) {
  const auto size = static_cast<size_t>(n);
  if constexpr (std::is_same_v<T, float>) {
    upload(host, to, size * sizeof(T));
  } else {
    std::vector<T> converted(size);
    std::transform(host, host + size, converted.begin(), [](float value) { return T(value); });
    upload(converted.data(), to, size * sizeof(T));
  }
}

template <class T>
void CudaBackend<T>::download_activations(int64_t n, const activation* from, real* host) {
  const auto size = static_cast<size_t>(n);
  if constexpr (std::is_same_v<T, float>) {
    download(from, host, size * sizeof(T));
  } else {
    std::vector<T> raw(size);
    download(from, raw.data(), size * sizeof(T));
    std::copy(raw.begin(), raw.end(), host);
  }
}

template <class T>
std::unique_ptr<StagedUpload> CudaBackend<T>::open_upload() {
  return std::make_unique<CopyStream>(device_, stream_.get());
}

template <class T>
std::unique_ptr<SumExchange> CudaBackend<T>::open_exchange(Communicator& workers) {
  if (auto exchange = make_nccl_exchange(workers, device_, stream_.get())) return exchange;
  return make_host_exchange(*this, workers);
}

// ---- Kernels

template <class T>
void CudaBackend<T>::reserve_workspace(size_t bytes) {
  context_.workspace = nullptr;  // if growing fails, the old block is gone
  workspace_.grow(bytes);
  context_.workspace = workspace_.get();
}

template <class T>
std::unique_ptr<KernelGraph> CudaBackend<T>::capture(const std::function<void()>& work) {
  auto graph = std::make_unique<CapturedGraph>(stream_.get());
  const struct Recording {  // ends also if `work` throws
    CapturedGraph*& graph;
    ~Recording() { graph = nullptr; }
  } recording{capturing_};
  capturing_ = graph.get();
  graph->record(work);
  return graph;
}

template <class T>
void CudaBackend<T>::call_host(const std::function<void()>& work) {
  if (capturing_ == nullptr) return work();
  capturing_->call_host(work);
}

template class CudaBackend<float>;
template class CudaBackend<bf16>;

}  // namespace crescendo::cuda
