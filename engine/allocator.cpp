#include "engine/allocator.h"

#include <algorithm>

namespace crescendo {

Allocator::~Allocator() {
  for (auto& [bytes, blocks] : free_)
    for (void* block : blocks) backend_.release(block, bytes);
}

void* Allocator::allocate(size_t bytes) {
  const std::lock_guard lock(mutex_);
  use_.in_use += bytes;
  std::vector<void*>& blocks = free_[bytes];
  if (!blocks.empty()) {
    void* block = blocks.back();
    blocks.pop_back();
    return block;
  }
  void* block = backend_.allocate(bytes);
  ++use_.allocations;
  held_ += bytes;
  use_.peak = std::max(use_.peak, held_ + workspace_);
  return block;
}

void Allocator::release(void* block, size_t bytes) {
  const std::lock_guard lock(mutex_);
  use_.in_use -= bytes;
  free_[bytes].push_back(block);
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
