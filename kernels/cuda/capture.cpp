#include "kernels/cuda/capture.h"

#include <type_traits>

#include "kernels/cuda/check.h"

namespace crescendo::cuda {

namespace {

struct DestroyGraph {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, DestroyGraph>;

// Captures `work`. The stream leaves capture mode even if `work` throws.
Graph captured(cudaStream_t stream, const std::function<void()>& work) {
  // Relaxed mode: libraries may allocate or query the device on first use.
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "capture");
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream, &graph);
    const Graph dropped(graph);
    cudaGetLastError();  // clears the error, so that no later call reports it again
    throw;
  }
  check(cudaStreamEndCapture(stream, &graph), "end of capture");
  return Graph(graph);
}

}  // namespace

CapturedGraph::CapturedGraph(cudaStream_t stream, const std::function<void()>& work) : stream_(stream) {
  const Graph graph = captured(stream, work);
  check(cudaGraphInstantiate(&graph_, graph.get(), 0), "graph");
}

CapturedGraph::~CapturedGraph() { cudaGraphExecDestroy(graph_); }

void CapturedGraph::launch() { check(cudaGraphLaunch(graph_, stream_), "graph launch"); }

}  // namespace crescendo::cuda
