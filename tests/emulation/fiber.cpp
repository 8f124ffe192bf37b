#undef _FORTIFY_SOURCE  // its longjmp takes a jump to another stack for an error
#include "emulation/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "emulation/sanitizers.h"

namespace crescendo::emulation {
namespace {

constexpr size_t kStackBytes = (kSanitized ? 128 : 64) * size_t{1024};
constexpr unsigned kNoSynchronisation = 1;  // of __tsan_switch_to_fiber

thread_local Fiber* entering = nullptr;

std::byte* map_pages(void* at, size_t bytes) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0);
  void* pages = mmap(at, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (pages == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "emulation: mmap");
  return static_cast<std::byte*>(pages);
}

}  // namespace

Pages::Pages(size_t bytes) : data_(map_pages(nullptr, bytes)), bytes_(bytes) {}

Pages::~Pages() { munmap(data_, bytes_); }

void Pages::renew() { map_pages(data_, bytes_); }

void Pages::forbid_first() { mprotect(data_, page_bytes(), PROT_NONE); }

size_t Pages::page_bytes() {
  static const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

Fiber::Fiber() : stack_(kStackBytes + Pages::page_bytes()) {
  stack_.forbid_first();
  getcontext(&start_);
  start_.uc_link = nullptr;
}

Fiber::~Fiber() {
  if constexpr (kThreadSanitizer)
    if (tsan_own_) __tsan_destroy_fiber(tsan_own_);
}

void Fiber::prepare(void (*entry)()) {
  entry_ = entry;
  fresh_ = true;
  std::byte* bottom = stack_.data() + Pages::page_bytes();
  if constexpr (kThreadSanitizer) {  // a new fiber, not the old one's continuation
    stack_.renew();
    stack_.forbid_first();
    if (tsan_own_) __tsan_destroy_fiber(tsan_own_);
    tsan_own_ = __tsan_create_fiber(0);
  }
  if constexpr (kAddressSanitizer) __asan_unpoison_memory_region(bottom, kStackBytes);
  start_.uc_stack.ss_sp = bottom;
  start_.uc_stack.ss_size = kStackBytes;
  makecontext(&start_, &Fiber::enter, 0);
  // Else AddressSanitizer clears the red zones of the stack it finds here when the fiber first stops.
  if constexpr (kAddressSanitizer) start_.uc_stack = {};
}

// swapcontext would do, but asks the system for the signal mask each time. Under the sanitizers it is the
// better one: AddressSanitizer gives up the red zones of all frames on a stack that a longjmp leaves, and
// ThreadSanitizer looks for the fiber's setjmp among the host's.
void Fiber::go_on(Place& from, Place& to) {
  if constexpr (kSanitized)
    swapcontext(&from.context, &to.context);
  else if (setjmp(from.jump) == 0)
    std::longjmp(to.jump, 1);
}

void Fiber::begin(Place& from, ucontext_t& start) {
  if constexpr (kSanitized)
    swapcontext(&from.context, &start);
  else if (setjmp(from.jump) == 0)
    setcontext(&start);
}

void Fiber::resume() {
  void* fake_stack = nullptr;
  const bool first_time = std::exchange(fresh_, false);
  entering = this;
  if constexpr (kAddressSanitizer)
    __sanitizer_start_switch_fiber(&fake_stack, stack_.data() + Pages::page_bytes(), kStackBytes);
  if constexpr (kThreadSanitizer) {  // what this function writes from here on is the fiber's
    tsan_host_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(tsan_own_, kNoSynchronisation);
  }
  if (first_time)
    begin(host_, start_);
  else
    go_on(host_, own_);
  if constexpr (kAddressSanitizer) __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
}

void Fiber::enter() {
  Fiber& self = *entering;
  self.arrived_in_fiber(nullptr);
  self.entry_();
  std::abort();  // it did not leave()
}

void Fiber::suspend() {
  void* fake_stack = nullptr;
  switch_to_host(&fake_stack);
  arrived_in_fiber(fake_stack);
}

void Fiber::leave() { switch_to_host(nullptr); }

void Fiber::switch_to_host(void** fake_stack) {
  if constexpr (kAddressSanitizer) __sanitizer_start_switch_fiber(fake_stack, host_stack_, host_stack_bytes_);
  if constexpr (kThreadSanitizer) __tsan_switch_to_fiber(tsan_host_, kNoSynchronisation);
  go_on(own_, host_);
}

void Fiber::arrived_in_fiber(void* fake_stack) {
  if constexpr (kAddressSanitizer)
    __sanitizer_finish_switch_fiber(fake_stack, &host_stack_, &host_stack_bytes_);
}

void Fiber::release(void* point) const {
  if constexpr (kThreadSanitizer) {
    void* host = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(tsan_own_, kNoSynchronisation);
    __tsan_release(point);
    __tsan_switch_to_fiber(host, kNoSynchronisation);
  }
}

void Fiber::acquire(void* point) const {
  if constexpr (kThreadSanitizer) {
    void* host = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(tsan_own_, kNoSynchronisation);
    __tsan_acquire(point);
    __tsan_switch_to_fiber(host, kNoSynchronisation);
  }
}

}  // namespace crescendo::emulation
