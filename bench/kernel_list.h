// Every kernel on every geometry it is benchmarked on, as calls that can be timed.
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
  // Allocates the operands and returns the call, which keeps them alive.
  std::function<Call(Backend&)> prepare;
  int times_in_model = 0;  // 0: not a layer of a model
  // Does likewise for the same work by a peer; undefined if peers have nothing like it.
  std::function<Call(Peer, int threads)> prepare_peer{};
};
using KernelList = std::vector<KernelBenchmark>;

// Adds a model's convolutions, the kernels that run on their outputs, and those that run once an update.
// `backend` tells which convolutions take a norm along.
void add_model(KernelList&, const LayerTable&, int64_t batch, const Backend& backend);
// Adds all kernels on the cases of their tests (tests/cases): small sizes around every boundary.
void add_cases(KernelList&, const Backend& backend);

}  // namespace crescendo::bench
