// A stream's work as a CUDA graph, which the host launches by one call.
#pragma once

#include <cuda_runtime.h>

#include <functional>
#include <memory>

#include "kernels/backend.h"

namespace crescendo::cuda {

class CapturedGraph final : public KernelGraph {
 public:
  // Records what `work` puts into the stream without running it. Throws std::runtime_error if CUDA refuses,
  // and whatever `work` throws.
  CapturedGraph(cudaStream_t stream, const std::function<void()>& work);
  ~CapturedGraph() override;
  void launch() override;

 private:
  cudaStream_t stream_;
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace crescendo::cuda
