// A fiber: a function with a stack of its own that can suspend itself. It runs in the host
// thread that resumes it.
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

  // Puts fresh pages at the same address. ThreadSanitizer forgets what was accessed in the old ones.
  void renew();
  // Makes the first page inaccessible, so that a stack overflow ends the program.
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

  // Drops the contents of the stack without running destructors. The next resume() enters `entry`, which must
  // end by leave().
  void prepare(void (*entry)());

  void resume();   // called by the host: returns when the fiber suspends itself or leaves
  void suspend();  // called by the fiber: returns at the next resume()
  void leave();    // called by the fiber: never returns

  // Tell ThreadSanitizer that this fiber released to, or acquired from, what others did at `point`. Called by
  // the host while the fiber is suspended.
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
