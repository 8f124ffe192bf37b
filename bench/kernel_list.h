// Every kernel of kernels/backend.h on every geometry it is benchmarked on, as calls that can be timed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "layers.h"
#include "peer.h"
#include "work.h"

namespace crescendo::bench {

struct KernelBenchmark {
  std::string name;  // "kernel/geometry"
  Work work;
  int times_in_model = 0;  // 0: not a layer of a model
  // Allocates the operands and returns the call, which keeps them alive.
  std::function<Call(Backend&)> prepare;
  // The same work by a peer; undefined where it has nothing like it.
  std::function<Call(Peer, int threads)> prepare_peer;
};
using KernelList = std::vector<KernelBenchmark>;

// A model's convolutions, what runs on their outputs, and its update.
void add_model(KernelList&, const LayerTable&, int64_t batch);
// All kernels on the cases of their tests (tests/cases): small sizes around every boundary.
void add_cases(KernelList&);

}  // namespace crescendo::bench
