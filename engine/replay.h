// Work on a device that is the same every time: done as it stands twice, by when everything is allocated that
// will be, then captured, where the device can capture, and from there on replayed.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/device.h"

namespace crescendo {

class Replay {
 public:
  explicit Replay(const Device& device) : device_(device) {}

  // Does `work`, or what it did when it was captured: then it is not called, and the result is true. `work`
  // must call the same kernels with the same pointers every time, move nothing between host and device, and
  // give back all memory that it takes. What a replay uses of it must not be taken by others meanwhile:
  // throws std::logic_error if it is.
  bool run(const std::function<void()>& work);

 private:
  static constexpr int kRunsBeforeCapture = 2;

  Device device_;
  int runs_ = 0;
  std::unique_ptr<KernelGraph> graph_;
  std::vector<Piece> pieces_;  // memory of the captured work
};

}  // namespace crescendo
