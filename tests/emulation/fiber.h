// A stack of its own for a function that can stop and go on, in the host thread that resumes it.
#pragma once

#include <ucontext.h>

#include <csetjmp>
#include <cstddef>

namespace crescendo::emulation {

// Pages from the system, zero at first.
class Pages {
 public:
  explicit Pages(size_t bytes);
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages();

  // Fresh pages at the same place. ThreadSanitizer forgets what was accessed in the old ones.
  void renew();
  // Takes the first page away: whoever runs over the end of a stack is stopped there.
  void forbid_first();
  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  static size_t page_bytes();

 private:
  std::byte* data_;
  size_t bytes_;
};

class Fiber {
 public:
  Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // Drops what stands on the stack, destructors not run; the next resume() enters `entry`, which must end by
  // leave().
  void prepare(void (*entry)());

  void resume();   // the host's: returns when the fiber suspends itself or leaves
  void suspend();  // the fiber's own: returns at the next resume()
  void leave();    // the fiber's own: never returns

  // Tells ThreadSanitizer that this fiber released to, or acquired from, what others did at `point`. The
  // host's to call, for a fiber that stands still.
  void release(void* point) const;
  void acquire(void* point) const;

 private:
  struct Place {  // where a stack was left
    std::jmp_buf jump;
    ucontext_t context;
  };
  static void go_on(Place& from, Place& to);
  static void begin(Place& from, ucontext_t& start);
  static void enter();
  void switch_to_host(void** fake_stack);
  void arrived_in_fiber(void* fake_stack);

  Pages stack_;
  void (*entry_)() = nullptr;
  bool fresh_ = true;
  ucontext_t start_ = {};
  Place own_ = {}, host_ = {};
  const void* host_stack_ = nullptr;  // the sanitizers' view of both sides
  size_t host_stack_bytes_ = 0;
  void *tsan_own_ = nullptr, *tsan_host_ = nullptr;
};

}  // namespace crescendo::emulation
