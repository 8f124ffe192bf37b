#include "engine/replay.h"

namespace crescendo {

bool Replay::run(const std::function<void()>& work) {
  if (graph_) {
    device_.memory().require_free(blocks_);
    graph_->launch();
    return true;
  }
  if (runs_ == kRunsBeforeCapture) {
    const BlockWatch watch(device_.memory());
    graph_ = device_.kernels().capture(work);
    blocks_ = watch.blocks();
  }
  if (graph_)
    graph_->launch();
  else
    work();
  ++runs_;
  return false;
}

}  // namespace crescendo
