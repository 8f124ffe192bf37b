#include "engine/allocator.h"

#include <algorithm>
#include <stdexcept>

namespace crescendo {

Allocator::~Allocator() {
  for (auto& [bytes, blocks] : free_)
    for (; !blocks.empty(); blocks.pop()) backend_.release(blocks.top(), bytes);
}

void* Allocator::allocate(size_t bytes) {
  const std::lock_guard lock(mutex_);
  LowestFirst& blocks = free_[bytes];
  void* block = nullptr;
  if (!blocks.empty()) {
    block = blocks.top();
    blocks.pop();
  } else {
    block = backend_.allocate(bytes);
    ++use_.allocations;
    held_ += bytes;
    use_.peak = std::max(use_.peak, held_ + workspace_);
  }
  use_.in_use += bytes;
  handed_out_.insert(block);
  if (watched_ != nullptr) watched_->push_back(block);
  return block;
}

void Allocator::release(void* block, size_t bytes) {
  const std::lock_guard lock(mutex_);
  use_.in_use -= bytes;
  handed_out_.erase(block);
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

void Allocator::require_free(const std::vector<void*>& blocks) const {
  const std::lock_guard lock(mutex_);
  const auto taken = [&](void* block) { return handed_out_.contains(block); };
  if (std::any_of(blocks.begin(), blocks.end(), taken))
    throw std::logic_error("allocator: memory of captured kernels is in use when they are replayed");
}

BlockWatch::BlockWatch(Allocator& allocator) : allocator_(allocator) {
  const std::lock_guard lock(allocator_.mutex_);
  allocator_.watched_ = &blocks_;
}

BlockWatch::~BlockWatch() {
  const std::lock_guard lock(allocator_.mutex_);
  allocator_.watched_ = nullptr;
}

}  // namespace crescendo
