#include "kernels/cuda/capture.h"

#include "kernels/cuda/check.h"

namespace crescendo::cuda {

namespace {

struct DropGraph {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
using Recording = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, DropGraph>;

}  // namespace

void CapturedGraph::begin_part() {
  // Relaxed mode: libraries may allocate or query the device on first use.
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "capture");
}

void CapturedGraph::end_part(const std::function<void()>& host_work) {
  cudaGraph_t recorded = nullptr;
  check(cudaStreamEndCapture(stream_, &recorded), "end of capture");
  const Recording recording(recorded);
  cudaGraphExec_t graph = nullptr;
  check(cudaGraphInstantiate(&graph, recorded, 0), "graph");
  parts_.push_back({.graph = decltype(Part::graph)(graph), .host_work = host_work});
}

// The stream leaves capture mode even if `work` throws.
void CapturedGraph::record(const std::function<void()>& work) {
  begin_part();
  try {
    work();
  } catch (...) {
    cudaGraph_t recorded = nullptr;
    cudaStreamEndCapture(stream_, &recorded);
    const Recording dropped(recorded);
    cudaGetLastError();  // clears the error, so that no later call reports it again
    throw;
  }
  end_part({});
}

void CapturedGraph::call_host(const std::function<void()>& host_work) {
  end_part(host_work);
  begin_part();
}

void CapturedGraph::launch() {
  for (const Part& part : parts_) {
    check(cudaGraphLaunch(part.graph.get(), stream_), "graph launch");
    if (part.host_work) part.host_work();
  }
}

}  // namespace crescendo::cuda
