#include "engine/allocator.h"

#include <algorithm>

namespace crescendo {

Allocator::~Allocator() {
  for (auto& [bytes, blocks] : free_)
    for (; !blocks.empty(); blocks.pop()) backend_.release(blocks.top(), bytes);
}

void* Allocator::allocate(size_t bytes) {
  const std::lock_guard lock(mutex_);
  LowestFirst& blocks = free_[bytes];
  if (!blocks.empty()) {
    void* block = blocks.top();
    blocks.pop();
    use_.in_use += bytes;
    return block;
  }
  void* block = backend_.allocate(bytes);
  ++use_.allocations;
  use_.in_use += bytes;
  held_ += bytes;
  use_.peak = std::max(use_.peak, held_ + workspace_);
  return block;
}

void Allocator::release(void* block, size_t bytes) {
  const std::lock_guard lock(mutex_);
  use_.in_use -= bytes;
  free_[bytes].push(block);
}

void Allocator::reserve_workspace(size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes <= workspace_) return;
  backend_.reserve_workspace(bytes);
  workspace_ = bytes;
  use_.peak = std::max(use_.peak, held_ + workspace_);
}

MemoryUse Allocator::use() const {
  const std::lock_guard lock(mutex_);
  return use_;
}

}  // namespace crescendo
