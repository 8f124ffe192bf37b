// Lists of kernel benchmarks: kernels with the sizes to time them on.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/kernel_call.h"
#include "layers.h"
#include "peer.h"

namespace crescendo::bench {

struct KernelBenchmark {
  std::string name;  // "kernel/sizes"
  Work work;
  // Allocates the operands and returns the call to time, which keeps them alive.
  std::function<Call(Backend&)> prepare;
  int times_in_model = 0;  // 0: not a layer of a model
  // Does the same for a peer's kernel; empty if no peer has this kernel.
  std::function<Call(Peer, int threads)> prepare_peer{};
};
using KernelList = std::vector<KernelBenchmark>;

// Adds a model's convolutions, the kernels that run on their outputs, and those that run once per update.
// `backend` decides which convolutions are fused with a norm.
void add_model(KernelList&, const LayerTable&, int64_t batch, const Backend& backend);
// Adds all kernels on the sizes of their tests (tests/cases): small sizes around every boundary.
void add_cases(KernelList&, const Backend& backend);

}  // namespace crescendo::bench
