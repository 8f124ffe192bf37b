// CUDA's execution model on the CPU, for tests: the blocks of a grid run one after another, each thread of a
// block on a fiber, in an order made to bring races out. Kernels see it through include/cuda_runtime.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <type_traits>

namespace crescendo::emulation {

// An error for what CUDA forbids or leaves undefined.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Schedule {
  in_order,    // each thread runs to its next barrier or collective, then the next thread
  shuffled,    // the same, in a new pseudo-random order at every turn; the blocks too
  warp_greedy  // a warp runs to its next barrier, through collectives, before another moves; warps and lanes
               // descend in odd phases between barriers (in even ones of odd blocks); so do the blocks
};

inline std::array<Schedule, 3> all_schedules() {
  return {Schedule::in_order, Schedule::shuffled, Schedule::warp_greedy};
}

// Launches of this host thread follow `schedule` until the guard goes; warp_greedy where there is none.
// Another seed shuffles anew; an odd one turns the greedy schedule's warps round. (One order may hide a
// missing barrier that the other shows: the first thread writes for all. Two blocks or two seeds have both.)
class WithSchedule {
 public:
  explicit WithSchedule(Schedule schedule, uint32_t seed = 0);
  WithSchedule(const WithSchedule&) = delete;
  WithSchedule& operator=(const WithSchedule&) = delete;
  ~WithSchedule();

 private:
  Schedule previous_schedule_;
  uint32_t previous_seed_;
};

struct Index {
  unsigned x, y, z;
};

struct Extent {
  unsigned x, y, z;
  constexpr Extent(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
  constexpr uint64_t size() const { return uint64_t{x} * y * z; }
};

struct Launch {
  const void* kernel;
  Extent grid, block;
  size_t shared_bytes;
};

// Runs `thread` once for every thread of the grid. Throws Error, or what a thread has thrown; the threads
// that still stood are then dropped without running their destructors.
void run(const Launch& launch, const std::function<void()>& thread);

// Lets `kernel` have up to `bytes` of shared memory. False if no device has that much.
bool allow_shared_memory(const void* kernel, size_t bytes);

constexpr unsigned kWarpSize = 32;

// ---- Functions for running threads.

const Index& thread_index();
const Index& block_index();
const Extent& block_extent();
const Extent& grid_extent();
void* shared_memory();

// The source line of a call. std::source_location, which clang 14 lacks, for a default argument.
struct Position {
  const char* file;
  int line;
  static constexpr Position here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

// Returns when every thread of the block has called it from the same line.
void barrier(Position at);

enum class Operation { synchronise, ballot, shuffle, shuffle_up, shuffle_down, shuffle_xor, gather };

struct Collective {
  Operation operation;
  uint32_t mask;      // lanes a partial warp lacks do not count
  uint64_t value;     // shuffles: the lane's contribution
  unsigned argument;  // shuffles: lane, delta or lane mask; ballot: the predicate
  unsigned width;     // shuffles: the warp falls into segments of this many lanes
  Position at;
};

// Returns, when every lane of the mask has called it with the same mask from the same line, the value of the
// lane that is read; or the lanes whose predicate holds.
uint64_t exchange(const Collective& collective);

unsigned lane();

// The contributions of all lanes of a warp. Valid until the lane's next collective.
class Gathered {
 public:
  static constexpr size_t kBytes = 32;  // the most of a lane
  explicit Gathered(const void* lanes) : lanes_(static_cast<const std::byte*>(lanes)) {}
  template <class T>
  T of(unsigned lane) const {
    T value;
    std::memcpy(&value, lanes_ + lane * kBytes, sizeof(T));
    return value;
  }

 private:
  const std::byte* lanes_;
};

Gathered gather(const void* contribution, size_t bytes, Position at);

template <class T>
Gathered gather(const T& contribution, Position at = Position::here()) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= Gathered::kBytes);
  return gather(&contribution, sizeof(T), at);
}

// Asynchronous copies of the running thread (async_copies.h).
void start_copy(void* to, const void* from, size_t bytes);
void commit_copies();
void wait_copies(size_t running);

}  // namespace crescendo::emulation
