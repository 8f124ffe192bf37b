// Repeats the same work on a device. The first two runs execute it normally, which allocates all memory it
// needs. The next run captures it as a graph, if the device can, and all later runs replay the graph.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/device.h"

namespace crescendo {

class Replay {
 public:
  explicit Replay(const Device& device) : device_(device) {}

  // Runs `work` and returns false, or replays its kernels without calling it and returns true. `work` must
  // call the same kernels with the same pointers every time, copy nothing between host and device, and
  // release all memory that it allocates. Throws std::logic_error if any of that memory is in use when the
  // kernels are replayed.
  bool run(const std::function<void()>& work);

 private:
  static constexpr int kRunsBeforeCapture = 2;

  Device device_;
  int runs_ = 0;
  std::unique_ptr<KernelGraph> graph_;
  std::vector<Piece> pieces_;  // memory that the captured work uses
};

}  // namespace crescendo
