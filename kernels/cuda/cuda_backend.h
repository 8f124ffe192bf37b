// The graphics processor's backend: one class, with its own kernels from its base. All work goes to one
// stream, so that each kernel finds what the one before it wrote.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "kernels/cuda/conv2d.h"
#include "kernels/cuda/matmul.h"
#include "kernels/cuda/own_convolutions.h"
#include "kernels/cuda/stream.h"
#include "kernels/precision.h"

namespace crescendo::cuda {

// A block of the device's memory. Throws std::bad_alloc.
class DeviceMemory {
 public:
  explicit DeviceMemory(size_t bytes);
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory();
  void* get() const { return block_; }
  size_t bytes() const { return bytes_; }
  void grow(size_t bytes);  // what was in it is lost

 private:
  void* block_ = nullptr;
  size_t bytes_ = 0;
};

// T: what activations are, float or bf16. The stream is a base, because the other base needs it.
template <class T>
class CudaBackend final : private Stream, public OwnConvolutions<T> {
 public:
  CudaBackend(int device, std::string name, Precision, ConvolutionAlgorithm);

  std::string name() const override { return name_; }

  bool is_host() const override { return false; }
  size_t free_memory() const override;
  void* allocate(size_t bytes) override;
  void release(void* block, size_t bytes) override;
  void upload(const void* host, void* to, size_t bytes) override;
  void download(const void* from, void* host, size_t bytes) override;
  void upload_activations(int64_t n, const float* host, activation* to) override;
  void download_activations(int64_t n, const activation* from, real* host) override;
  std::unique_ptr<StagedUpload> open_upload() override;

  using OwnConvolutions<T>::workspace;
  size_t workspace(const Conv2dGeometry&) const override;
  size_t workspace(const LinearGeometry&) const override;
  void reserve_workspace(size_t bytes) override;
  std::unique_ptr<KernelGraph> capture(const std::function<void()>& work) override;

  void conv2d_forward(const Conv2dGeometry&, const activation* x, const ConvolutionWeight&,
                      const ConvolutionEpilogue&, activation* y) override;
  void conv2d_backward_data(const Conv2dGeometry&, const activation* dy, const activation* weight,
                            activation* dx, Write) override;
  void conv2d_backward_weight(const Conv2dGeometry&, const activation* x, const activation* dy, real* dweight,
                              Write) override;

  void linear_forward(const LinearGeometry&, const activation* x, const activation* weight, const real* bias,
                      activation* y) override;
  void linear_backward_data(const LinearGeometry&, const activation* dy, const activation* weight,
                            activation* dx, Write) override;
  void linear_backward_weight(const LinearGeometry&, const activation* x, const activation* dy, real* dweight,
                              Write) override;

 protected:
  void* workspace_memory() const override { return workspace_.get(); }
  void* partials() const override { return partials_.get(); }

 private:
  // Of a convolution's workspace, what kernels need; behind it is room for a weight gradient in bf16.
  size_t kernels_workspace(const Conv2dGeometry&) const;

  int device_;
  std::string name_;
  mutable Convolutions convolutions_;  // asking for a workspace makes its plans
  MatrixProducts products_;
  DeviceMemory workspace_, partials_;
};

extern template class CudaBackend<float>;
extern template class CudaBackend<bf16>;

}  // namespace crescendo::cuda
