#include "base/threads.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/cores.h"

namespace crescendo {
namespace {

// How long a thread looks out for the next loop, or for the end of this one, before it sleeps. To wake up
// takes about as long.
constexpr std::chrono::microseconds kLookout{50};

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

struct Threads::Team {
  // The pieces of a loop that a thread takes first, [next, end). Each has a cache line of its own.
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };

  explicit Team(int threads)
      : count(threads), looks_out(threads <= allowed_cores()), shares(static_cast<size_t>(threads)) {}
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team();

  void start();
  void serve(int thread);
  bool join();
  void leave();
  void run(int64_t n, Piece loop_piece, const void* loop_function);
  void work(int thread);
  void wait_while(const std::atomic<uint32_t>& value, uint32_t old) const;

  const int count;
  const bool looks_out;  // false: there are more threads than cores, and whoever waits should sleep
  std::vector<std::thread> helpers;

  // The loop. Only written while no helper has joined.
  Piece piece = nullptr;
  const void* function = nullptr;
  std::vector<Share> shares;  // [count]
  std::mutex error_mutex;
  std::exception_ptr error;

  // Helpers may join the loop while it is open.
  static constexpr uint32_t kOpen = 1, kHelper = 2;
  std::atomic<uint32_t> state{0};  // kOpen or 0, and kHelper for each helper in the loop
  std::atomic<uint32_t> loops{0};  // loops begun; helpers wait for it to change
  std::atomic<bool> stopping{false};
};

Threads::Team::~Team() {
  stopping = true;
  ++loops;
  loops.notify_all();
  for (std::thread& helper : helpers) helper.join();
}

void Threads::Team::start() {
  try {
    for (int thread = 1; thread < count; ++thread) helpers.emplace_back([this, thread] { serve(thread); });
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), crescendo::join("threads: only ", helpers.size() + 1, " of ", count,
                                                          " could be started"));
  }
}

// Returns once `value` is no longer `old`.
void Threads::Team::wait_while(const std::atomic<uint32_t>& value, uint32_t old) const {
  constexpr int kLooks = 32;  // between two looks at the clock
  if (looks_out) {
    const auto end = std::chrono::steady_clock::now() + kLookout;
    do {
      for (int look = 0; look < kLooks; ++look) {
        if (value.load(std::memory_order_acquire) != old) return;
        pause_briefly();
      }
    } while (std::chrono::steady_clock::now() < end);
  }
  value.wait(old, std::memory_order_acquire);
}

void Threads::Team::serve(int thread) {
  uint32_t seen = 0;
  while (true) {
    wait_while(loops, seen);
    seen = loops.load(std::memory_order_acquire);
    if (stopping) return;
    if (!join()) continue;
    work(thread);
    leave();
  }
}

bool Threads::Team::join() {
  uint32_t now = state.load(std::memory_order_relaxed);
  while ((now & kOpen) != 0)
    if (state.compare_exchange_weak(now, now + kHelper, std::memory_order_acquire)) return true;
  return false;
}

void Threads::Team::leave() {
  const uint32_t before = state.fetch_sub(kHelper, std::memory_order_release);
  if (before == kHelper) state.notify_one();  // closed, and this was the last helper
}

// Calls the pieces that nobody has taken: first those of this thread's share, then of the others'.
void Threads::Team::work(int thread) {
  try {
    for (int i = 0; i < count; ++i) {
      Share& share = shares[static_cast<size_t>((thread + i) % count)];
      while (true) {
        const int64_t index = share.next.fetch_add(1, std::memory_order_relaxed);
        if (index >= share.end) break;
        piece(function, index, thread);
      }
    }
  } catch (...) {
    const std::lock_guard lock(error_mutex);
    if (!error) error = std::current_exception();
  }
}

void Threads::Team::run(int64_t n, Piece loop_piece, const void* loop_function) {
  if (helpers.empty()) start();
  piece = loop_piece;
  function = loop_function;
  for (int thread = 0; thread < count; ++thread) {
    Share& share = shares[static_cast<size_t>(thread)];
    share.next.store(n * thread / count, std::memory_order_relaxed);
    share.end = n * (thread + 1) / count;
  }
  state.store(kOpen, std::memory_order_release);
  loops.fetch_add(1, std::memory_order_release);
  loops.notify_all();
  work(0);
  uint32_t helping = state.fetch_and(~kOpen, std::memory_order_acquire) & ~kOpen;
  while (helping != 0) {
    wait_while(state, helping);
    helping = state.load(std::memory_order_acquire);
  }
  if (error) std::rethrow_exception(std::exchange(error, nullptr));
}

Threads::Threads(int count) : count_(count > 0 ? count : default_threads()) {
  if (count_ > 1) team_ = std::make_unique<Team>(count_);
}

Threads::~Threads() = default;

void Threads::run(int64_t n, Piece piece, const void* function) const {
  if (team_ && n > 1) return team_->run(n, piece, function);
  for (int64_t i = 0; i < n; ++i) piece(function, i, 0);
}

int default_threads() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  int count = 0;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), count);
  return count > 0 ? count : allowed_cores();
}

}  // namespace crescendo
