#include "kernels/cuda/capture.h"

#include <type_traits>

#include "kernels/cuda/check.h"

namespace crescendo::cuda {

namespace {

struct DestroyGraph {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, DestroyGraph>;

// The stream leaves capture whatever `work` does.
Graph captured(cudaStream_t stream, const std::function<void()>& work) {
  // Relaxed: libraries may ask the device for what they have not needed before.
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "capture");
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream, &graph);
    const Graph dropped(graph);
    cudaGetLastError();  // which would otherwise be reported again, by another call
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
