// A stream's work as CUDA graphs, each of which the host launches by one call.
#pragma once

#include <cuda_runtime.h>

#include <functional>
#include <memory>
#include <type_traits>
#include <vector>

#include "kernels/backend.h"

namespace crescendo::cuda {

class CapturedGraph final : public KernelGraph {
 public:
  explicit CapturedGraph(cudaStream_t stream) : stream_(stream) {}

  // Records what `work` puts into the stream without running it. Throws std::runtime_error if CUDA refuses,
  // and whatever `work` throws.
  void record(const std::function<void()>& work);
  // Called by `work`: launch() calls `host_work` between what was recorded before and what is recorded after.
  void call_host(const std::function<void()>& host_work);
  void launch() override;

 private:
  struct DestroyGraph {
    void operator()(cudaGraphExec_t graph) const { cudaGraphExecDestroy(graph); }
  };
  // A piece of the stream's work, and what the host does after it.
  struct Part {
    std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, DestroyGraph> graph;
    std::function<void()> host_work;
  };

  void begin_part();
  void end_part(const std::function<void()>& host_work);

  cudaStream_t stream_;
  std::vector<Part> parts_;
};

}  // namespace crescendo::cuda
