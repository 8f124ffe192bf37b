// The asynchronous copies of a thread (PTX: cp.async). A copy is under way from its start until a wait for
// its group; meanwhile its target holds NaN.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

#include "emulation/sanitizers.h"

namespace crescendo::emulation {

class AsyncCopies {
 public:
  void clear() {
    copies_.clear();
    groups_.clear();
  }
  // Starts to copy `bytes` bytes, or to write zeros if `from` is null.
  void start(void* to, const void* from, size_t bytes) {
    std::memset(to, 0xFF, bytes);
    const UnseenWrites unseen;
    copies_.push_back({to, from, bytes});
  }
  // Makes a group of the copies since the last one.
  void commit() {
    const UnseenWrites unseen;
    groups_.push_back(copies_.size());
  }
  // Returns when all groups but the newest `running` are complete.
  void wait(size_t running) {
    if (groups_.size() <= running) return;
    const size_t groups = groups_.size() - running, copies = groups_[groups - 1];
    for (size_t i = 0; i < copies; ++i) complete(copies_[i]);
    const UnseenWrites unseen;
    copies_.erase(copies_.begin(), copies_.begin() + static_cast<std::ptrdiff_t>(copies));
    groups_.erase(groups_.begin(), groups_.begin() + static_cast<std::ptrdiff_t>(groups));
    for (size_t& end : groups_) end -= copies;
  }

 private:
  struct Copy {
    void* to;
    const void* from;
    size_t bytes;
  };
  static void complete(const Copy& copy) {
    if (copy.from != nullptr)
      std::memcpy(copy.to, copy.from, copy.bytes);
    else
      std::memset(copy.to, 0, copy.bytes);
  }

  std::vector<Copy> copies_;    // in the order of their start
  std::vector<size_t> groups_;  // end of each group in copies_
};

}  // namespace crescendo::emulation
