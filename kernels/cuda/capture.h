// A stream's work as a CUDA graph, which the host then starts by one call.
#pragma once

#include <cuda_runtime.h>

#include <functional>
#include <memory>

#include "kernels/backend.h"

namespace crescendo::cuda {

class CapturedGraph final : public KernelGraph {
 public:
  // Of what `work` puts into the stream, which is not done yet. Throws std::runtime_error where CUDA refuses,
  // and what `work` throws.
  CapturedGraph(cudaStream_t stream, const std::function<void()>& work);
  ~CapturedGraph() override;
  void launch() override;

 private:
  cudaStream_t stream_;
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace crescendo::cuda
