// A block's dynamic shared memory: exactly as many bytes as the launch asked for, between guard zones. A
// float or double that is read before it is written is NaN.
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
  // Returns true if the guard zones are intact, and makes them accessible again.
  bool guards_intact() const;
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
