// The backend of a GPU: memory, copies, graph capture, and a dispatch that runs the calls. All work goes to
// one stream, so that each kernel sees what the one before it wrote.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "kernels/cuda/capture.h"
#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/matmul.h"
#include "kernels/cuda/stream.h"

namespace crescendo::cuda {

// A block of the device's memory. The constructor and grow() throw std::bad_alloc.
class DeviceMemory {
 public:
  explicit DeviceMemory(size_t bytes);
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory();
  void* get() const { return block_; }
  size_t bytes() const { return bytes_; }
  void grow(size_t bytes);  // loses the contents

 private:
  void* block_ = nullptr;
  size_t bytes_ = 0;
};

// T is the type of activations: float or bf16.
template <class T>
class CudaBackend final : public Backend {
 public:
  CudaBackend(int device, std::string name, Precision, ConvolutionAlgorithm);

  std::string name() const override { return name_; }
  Capabilities capabilities() const override { return dispatch_.capabilities(); }

  size_t free_memory() const override;
  void* allocate(size_t bytes) override;
  void release(void* block, size_t bytes) override;
  void upload(const void* host, void* to, size_t bytes) override;
  void download(const void* from, void* host, size_t bytes) override;
  void upload_activations(int64_t n, const float* host, activation* to) override;
  void download_activations(int64_t n, const activation* from, real* host) override;
  std::unique_ptr<StagedUpload> open_upload() override;
  std::unique_ptr<SumExchange> open_exchange(Communicator& workers) override;

  void run(const KernelCall& call) override { dispatch_.run(call); }
  size_t workspace(const KernelCall& call) const override { return dispatch_.workspace(call); }
  void reserve_workspace(size_t bytes) override;
  std::unique_ptr<KernelGraph> capture(const std::function<void()>& work) override;
  void call_host(const std::function<void()>& work) override;

  int64_t packed_weight_size(const Conv2dGeometry&) const override { return 0; }
  bool fuses_norm(const Conv2dGeometry& g) const override { return dispatch_.fuses_norm(g); }

 private:
  int device_;
  std::string name_;
  Stream stream_;
  Convolutions convolutions_;
  MatrixProducts products_;
  DeviceMemory workspace_, partials_;
  LaunchContext context_;
  Dispatch<T> dispatch_;
  CapturedGraph* capturing_ = nullptr;
};

extern template class CudaBackend<float>;
extern template class CudaBackend<bf16>;

}  // namespace crescendo::cuda
