#include "emulation/launch_limits.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>

#include "emulation/shared_memory.h"

namespace crescendo::emulation {
namespace {

// Shared memory that cudaFuncSetAttribute has allowed, for the whole process as in CUDA.
class Allowances {
 public:
  void set(const void* kernel, size_t bytes) {
    const std::lock_guard lock(mutex_);
    bytes_[kernel] = bytes;
  }
  size_t of(const void* kernel) {
    const std::lock_guard lock(mutex_);
    const auto found = bytes_.find(kernel);
    return found == bytes_.end() ? kFreeSharedBytes : std::max(found->second, kFreeSharedBytes);
  }
  static Allowances& instance() {
    static Allowances allowances;
    return allowances;
  }

 private:
  std::mutex mutex_;
  std::map<const void*, size_t> bytes_;
};

std::string text(const Extent& e) {
  return "(" + std::to_string(e.x) + ", " + std::to_string(e.y) + ", " + std::to_string(e.z) + ")";
}

bool within(const Extent& extent, const Extent& most) {
  return extent.size() > 0 && extent.x <= most.x && extent.y <= most.y && extent.z <= most.z;
}

}  // namespace

bool allow_shared_memory(const void* kernel, size_t bytes) {
  if (bytes > kMaxSharedBytes) return false;
  Allowances::instance().set(kernel, bytes);
  return true;
}

void check_limits(const Launch& launch) {
  constexpr Extent kMaxGrid = {0x7FFFFFFF, 65535, 65535}, kMaxBlock = {1024, 1024, 64};
  constexpr uint64_t kMaxThreads = 1024;
  if (!within(launch.grid, kMaxGrid))
    throw Error("launch: a grid of " + text(launch.grid) + " blocks, expected from 1 to " + text(kMaxGrid));
  if (!within(launch.block, kMaxBlock) || launch.block.size() > kMaxThreads)
    throw Error("launch: a block of " + text(launch.block) + " threads, expected from 1 to " +
                text(kMaxBlock) + " and " + std::to_string(kMaxThreads) + " altogether");
  const size_t allowed = Allowances::instance().of(launch.kernel);
  if (launch.shared_bytes > allowed)
    throw Error("launch: " + std::to_string(launch.shared_bytes) + " bytes of shared memory, but " +
                std::to_string(allowed) + " are allowed (cudaFuncSetAttribute: up to " +
                std::to_string(kMaxSharedBytes) + ")");
}

}  // namespace crescendo::emulation
