// A block's dynamic shared memory: exactly as much as was asked for, NaN wherever a float or double is read
// before it is written, between guard zones.
#pragma once

#include <cstddef>

#include "emulation/fiber.h"

namespace crescendo::emulation {

constexpr size_t kMaxSharedBytes = 227 * 1024;
constexpr size_t kFreeSharedBytes = 48 * 1024;  // more needs cudaFuncSetAttribute

class SharedMemory {
 public:
  SharedMemory();
  void prepare(size_t bytes);
  bool guards_intact() const;  // and lets the guard zones be touched again
  std::byte* data() const { return pages_.data() + kFront; }

 private:
  static constexpr size_t kGuard = 4096;
  static constexpr size_t kFront = kGuard + 128;  // data() is a multiple of 128 but not of 256

  void fill_guard(size_t from, size_t to);
  bool is_guard(size_t from, size_t to) const;

  Pages pages_;
  size_t bytes_ = 0;
};

}  // namespace crescendo::emulation
