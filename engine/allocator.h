// A caching allocator with exact-size reuse: a released block serves only a request of the same size, the one
// at the lowest address first. So what a request gets depends on which blocks are free, not on the order they
// came back in: a training step makes the same requests every time, and from the second step on it gets the
// same pointers and nothing is allocated.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <queue>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernels/backend.h"

namespace crescendo {

struct MemoryUse {
  size_t in_use = 0;       // bytes handed out now
  size_t peak = 0;         // most bytes ever held from the backend: handed out, cached, and workspace
  size_t allocations = 0;  // blocks ever asked of the backend
};

class Allocator {
 public:
  explicit Allocator(Backend& backend) : backend_(backend) {}
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;
  ~Allocator();

  void* allocate(size_t bytes);  // throws std::bad_alloc
  void release(void* block, size_t bytes);
  void reserve_workspace(size_t bytes);  // counted in the peak
  MemoryUse use() const;

  // Throws std::logic_error if one of them is handed out.
  void require_free(const std::vector<void*>& blocks) const;

 private:
  friend class BlockWatch;
  using LowestFirst = std::priority_queue<void*, std::vector<void*>, std::greater<>>;

  Backend& backend_;
  mutable std::mutex mutex_;
  std::unordered_map<size_t, LowestFirst> free_;
  std::unordered_set<void*> handed_out_;
  std::vector<void*>* watched_ = nullptr;
  MemoryUse use_;
  size_t held_ = 0, workspace_ = 0;
};

// Notes the blocks that are handed out while it lives.
class BlockWatch {
 public:
  explicit BlockWatch(Allocator& allocator);
  BlockWatch(const BlockWatch&) = delete;
  BlockWatch& operator=(const BlockWatch&) = delete;
  ~BlockWatch();
  const std::vector<void*>& blocks() const { return blocks_; }

 private:
  Allocator& allocator_;
  std::vector<void*> blocks_;
};

}  // namespace crescendo
