#include "kernels/cuda/cuda_backend.h"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/cuda/capture.h"
#include "kernels/cuda/copies.h"

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

int64_t dweight_size(const Conv2dGeometry& g) { return g.k * g.r * g.s * g.c; }
bool is_empty(const LinearGeometry& g) { return g.n * g.in * g.out == 0; }

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
CudaBackend<T>::CudaBackend(int device, std::string name, Precision precision,
                            ConvolutionAlgorithm convolution)
    : Stream(device),
      OwnConvolutions<T>(Stream::get(), convolution),
      device_(device),
      name_(std::move(name)),
      convolutions_(precision, Stream::get()),
      products_(precision, Stream::get()),
      workspace_(0),
      partials_(static_cast<size_t>(OwnKernels<T>::kPartials) * sizeof(double)) {}

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
  check(cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice, this->stream()), "upload");
  check(cudaStreamSynchronize(this->stream()), "upload");
}

template <class T>
void CudaBackend<T>::download(const void* from, void* host, size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, this->stream()), "download");
  check(cudaStreamSynchronize(this->stream()), "download");
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
  return std::make_unique<CopyStream>(device_, this->stream());
}

// ---- Workspace

template <class T>
size_t CudaBackend<T>::workspace(const Conv2dGeometry& g) const {
  if (is_empty(g)) return 0;
  if (this->computes(g)) return this->own_workspace(g);
  size_t bytes = kernels_workspace(g);
  if (!std::is_same_v<T, real>) bytes += static_cast<size_t>(dweight_size(g)) * sizeof(T);
  return bytes;
}

template <class T>
size_t CudaBackend<T>::workspace(const LinearGeometry& g) const {
  return is_empty(g) ? 0 : MatrixProducts::kWorkspace;
}

template <class T>
void CudaBackend<T>::reserve_workspace(size_t bytes) {
  workspace_.grow(bytes);
}

template <class T>
size_t CudaBackend<T>::kernels_workspace(const Conv2dGeometry& g) const {
  constexpr size_t kAlignment = 256;
  const size_t bytes = convolutions_.workspace(g);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

template <class T>
std::unique_ptr<KernelGraph> CudaBackend<T>::capture(const std::function<void()>& work) {
  return std::make_unique<CapturedGraph>(this->stream(), work);
}

// ---- Convolution

template <class T>
void CudaBackend<T>::conv2d_forward(const Conv2dGeometry& g, const activation* x,
                                    const ConvolutionWeight& weight, const ConvolutionEpilogue& epilogue,
                                    activation* y) {
  if (is_empty(g)) return;
  if (this->computes(g)) return this->own_forward(g, x, weight.values, epilogue, y);
  convolutions_.forward(g, x, weight.values, y, workspace_.get());
  this->finish_convolution(g, epilogue, y);
}

template <class T>
void CudaBackend<T>::conv2d_backward_data(const Conv2dGeometry& g, const activation* dy,
                                          const activation* weight, activation* dx, Write write) {
  if (is_empty(g)) return;
  if (this->computes(g)) return this->own_backward_data(g, dy, weight, dx, write);
  convolutions_.backward_data(g, dy, weight, dx, write, workspace_.get());
}

// Ghost by ghost, each added to the sum of those before it; in bf16, each is rounded to that first.
template <class T>
void CudaBackend<T>::conv2d_backward_weight(const Conv2dGeometry& g, const activation* x,
                                            const activation* dy, real* dweight, Write write) {
  if (is_empty(g)) return;
  if (this->computes(g)) return this->own_backward_weight(g, x, dy, dweight, write);
  Conv2dGeometry one = g;
  one.n = g.ghost;
  const auto* x_values = reinterpret_cast<const T*>(x);
  const auto* dy_values = reinterpret_cast<const T*>(dy);
  for (int64_t first = 0; first < g.n; first += g.ghost, write = Write::add) {
    const T* x_ghost = x_values + first * g.h * g.w * g.c;
    const T* dy_ghost = dy_values + first * g.p * g.q * g.k;
    if constexpr (std::is_same_v<T, real>) {
      convolutions_.backward_weight(one, x_ghost, dy_ghost, dweight, write, workspace_.get());
    } else {
      void* rounded = static_cast<char*>(workspace_.get()) + kernels_workspace(g);
      convolutions_.backward_weight(one, x_ghost, dy_ghost, rounded, Write::overwrite, workspace_.get());
      this->widen(dweight_size(g), static_cast<const activation*>(rounded), dweight, write);
    }
  }
}

// ---- Linear

template <class T>
void CudaBackend<T>::linear_forward(const LinearGeometry& g, const activation* x, const activation* weight,
                                    const real* bias, activation* y) {
  if (is_empty(g)) return;
  const MatrixProduct product{.m = g.n,
                              .n = g.out,
                              .k = g.in,
                              .transpose_a = false,
                              .transpose_b = true,
                              .real_c = false,
                              .same_m = g.ghost};
  products_.multiply(product, x, weight, y, Write::overwrite, workspace_.get());
  this->finish_sums(g.n, g.out, {.bias = bias}, y);
}

template <class T>
void CudaBackend<T>::linear_backward_data(const LinearGeometry& g, const activation* dy,
                                          const activation* weight, activation* dx, Write write) {
  if (is_empty(g)) return;
  const MatrixProduct product{.m = g.n,
                              .n = g.in,
                              .k = g.out,
                              .transpose_a = false,
                              .transpose_b = false,
                              .real_c = false,
                              .same_m = g.ghost};
  products_.multiply(product, dy, weight, dx, write, workspace_.get());
}

// Ghost by ghost, each added to the sum of those before it.
template <class T>
void CudaBackend<T>::linear_backward_weight(const LinearGeometry& g, const activation* x,
                                            const activation* dy, real* dweight, Write write) {
  if (is_empty(g)) return;
  const MatrixProduct product{.m = g.out,
                              .n = g.in,
                              .k = g.ghost,
                              .transpose_a = true,
                              .transpose_b = false,
                              .real_c = true,
                              .same_m = g.out};
  const auto* x_values = reinterpret_cast<const T*>(x);
  const auto* dy_values = reinterpret_cast<const T*>(dy);
  for (int64_t first = 0; first < g.n; first += g.ghost, write = Write::add)
    products_.multiply(product, dy_values + first * g.out, x_values + first * g.in, dweight, write,
                       workspace_.get());
}

template class CudaBackend<float>;
template class CudaBackend<bf16>;

}  // namespace crescendo::cuda
