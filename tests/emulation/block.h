// One block of threads: decides which thread runs next, opens barriers, completes
// collectives, and finds errors.
#pragma once

#include <array>
#include <deque>
#include <exception>
#include <random>
#include <string>
#include <vector>

#include "emulation/async_copies.h"
#include "emulation/emulator.h"
#include "emulation/fiber.h"
#include "emulation/shared_memory.h"

namespace crescendo::emulation {

// A schedule with what it needs to choose.
struct Plan {
  Schedule schedule;
  uint32_t seed;
  std::mt19937 random;

  template <class T>
  void shuffle(std::vector<T>& values) {  // std::shuffle's order is the library's own
    for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random() % i]);
  }
};

enum class State { ready, at_barrier, in_collective, exited };

using Contribution = std::array<std::byte, Gathered::kBytes>;  // a lane's part of a gather

struct Thread {
  Fiber fiber;
  unsigned number = 0;  // in its block
  Index index = {};
  State state = State::exited;
  Position at = {};  // the source line at which it waits
  Collective collective = {};
  Contribution contribution = {};
  uint64_t result = 0;
  AsyncCopies copies;
  std::exception_ptr failure;

  unsigned lane() const { return number % kWarpSize; }
};

// Fibers and memory are kept for the next block.
class Block {
 public:
  // Runs a block whose threads each enter `entry`. Throws Error, or what a thread has thrown.
  void run(const Launch& launch, uint64_t block_number, Plan& plan, void (*entry)());

  const Launch& launch() const { return *launch_; }
  const Index& index() const { return index_; }
  void* shared_memory() const { return shared_.data(); }
  Thread* running() const { return running_; }
  void finish_running(std::exception_ptr failure);  // the running thread's end, on its fiber
  // Returns the thread and the source line at which it waits: "block (0, 1, 0), thread
  // (5, 0, 0), file.cu:12".
  std::string name(const Thread& thread) const;

  // ---- Functions for the running thread.
  void barrier(Position at);
  uint64_t exchange(const Collective& collective);
  Gathered gather(const void* contribution, size_t bytes, Position at);

  // Tells ThreadSanitizer that whoever acquires from `point` comes after the block.
  void release_fibers(void* point) const;

 private:
  struct Warp {  // masks with one bit per lane
    uint32_t existing = 0, waiting = 0, exited = 0;
    std::array<Contribution, kWarpSize> gathered = {};
  };

  void prepare(void (*entry)());
  void run_phase(Plan& plan);
  void run_warps(bool descending);
  bool move_all(const std::vector<unsigned>& order);
  bool move(Thread& thread);
  void open_barrier();
  [[noreturn]] void report_stuck_collective(const Thread& thread) const;

  void exit(Thread& thread);
  void arrive(Thread& thread);
  void complete(Warp& warp, uint32_t lanes, unsigned first);
  void collect(Warp& warp, uint32_t lanes, unsigned first);
  uint64_t result_of(const Thread& thread, uint32_t lanes) const;
  void synchronise(const std::vector<unsigned>& numbers);

  std::deque<Thread> threads_;  // as many as the largest block had; the first count_ are in use
  std::vector<Warp> warps_;
  std::vector<unsigned> order_;
  SharedMemory shared_;
  const Launch* launch_ = nullptr;
  Index index_ = {};
  uint64_t block_number_ = 0;
  unsigned count_ = 0, exited_ = 0, phase_ = 0;
  Thread* running_ = nullptr;
};

}  // namespace crescendo::emulation
