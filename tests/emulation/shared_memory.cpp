#include "emulation/shared_memory.h"

#include <array>
#include <cstring>

#include "emulation/sanitizers.h"

namespace crescendo::emulation {
namespace {

// A NaN as float and as double, but not the one that stands in shared memory itself.
constexpr std::array<unsigned char, 4> kGuardPattern = {0xA5, 0x5A, 0xF7, 0xFF};

}  // namespace

SharedMemory::SharedMemory() : pages_(kFront + kMaxSharedBytes + kGuard) {}

void SharedMemory::prepare(size_t bytes) {
  if constexpr (kThreadSanitizer) pages_.renew();  // another block's accesses are no race
  bytes_ = bytes;
  const size_t end = kFront + bytes;
  if constexpr (kAddressSanitizer) __asan_unpoison_memory_region(pages_.data(), pages_.bytes());
  std::memset(data(), 0xFF, bytes);
  fill_guard(0, kFront);
  fill_guard(end, end + kGuard);
  if constexpr (kAddressSanitizer) {
    __asan_poison_memory_region(pages_.data(), kFront);
    __asan_poison_memory_region(pages_.data() + end, kGuard);
  }
}

bool SharedMemory::guards_intact() const {
  if constexpr (kAddressSanitizer) __asan_unpoison_memory_region(pages_.data(), pages_.bytes());
  const size_t end = kFront + bytes_;
  return is_guard(0, kFront) && is_guard(end, end + kGuard);
}

void SharedMemory::fill_guard(size_t from, size_t to) {
  for (size_t i = from; i < to; ++i) pages_.data()[i] = std::byte{kGuardPattern[i % kGuardPattern.size()]};
}

bool SharedMemory::is_guard(size_t from, size_t to) const {
  for (size_t i = from; i < to; ++i)
    if (pages_.data()[i] != std::byte{kGuardPattern[i % kGuardPattern.size()]}) return false;
  return true;
}

}  // namespace crescendo::emulation
