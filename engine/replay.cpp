#include "engine/replay.h"

namespace crescendo {

bool Replay::run(const std::function<void()>& work) {
  if (graph_) {
    device_.memory().require_free(pieces_);
    graph_->launch();
    return true;
  }
  if (runs_ == kRunsBeforeCapture) {
    const PieceWatch watch(device_.memory());
    graph_ = device_.backend().capture(work);
    pieces_ = watch.pieces();
  }
  if (graph_)
    graph_->launch();
  else
    work();
  ++runs_;
  return false;
}

}  // namespace crescendo
