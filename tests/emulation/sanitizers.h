// Calls by which a stack switch informs AddressSanitizer and ThreadSanitizer, declared in every build and
// used where `if constexpr` finds the sanitizer.
#pragma once

#include <cstddef>

#ifndef __has_feature
#define __has_feature(feature) 0  // GCC 12 has macros instead
#endif

namespace crescendo::emulation {

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
constexpr bool kAddressSanitizer = true;
#else
constexpr bool kAddressSanitizer = false;
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif

constexpr bool kSanitized = kAddressSanitizer || kThreadSanitizer;

}  // namespace crescendo::emulation

extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack_save, const void* bottom, size_t size);
void __sanitizer_finish_switch_fiber(void* fake_stack_save, const void** bottom_old, size_t* size_old);
void __asan_poison_memory_region(const volatile void* address, size_t size);
void __asan_unpoison_memory_region(const volatile void* address, size_t size);

void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}

namespace crescendo::emulation {

// The emulator's own bookkeeping is written by host and fibers in turn, without the synchronisation that
// would order the kernel's accesses too: ThreadSanitizer is not to see it.
class UnseenWrites {
 public:
  UnseenWrites() {
    if constexpr (kThreadSanitizer) AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  UnseenWrites(const UnseenWrites&) = delete;
  UnseenWrites& operator=(const UnseenWrites&) = delete;
  ~UnseenWrites() {
    if constexpr (kThreadSanitizer) AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  }
};

}  // namespace crescendo::emulation
