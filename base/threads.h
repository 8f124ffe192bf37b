// A team of threads that share out the pieces of a loop.
#pragma once

#include <cstdint>
#include <memory>

namespace crescendo {

// The calling thread is one of the team. The others are started with the first loop, and sleep between loops
// that are not close together. Each thread first takes the pieces of its own part of the loop, in order, then
// helps the others. A loop ends when all of its pieces are done. It does not wait for a thread that has not
// begun; a thread that loses its core in the middle of a piece holds up that piece alone.
class Threads {
 public:
  // Makes a team of `count` threads; 0: default_threads().
  explicit Threads(int count);
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads();

  int count() const { return count_; }

  // Calls piece(function, i, thread) for each i in [0, n), where `thread` in [0, count()) is different in
  // threads that run at the same time. After all calls have ended, rethrows the first exception. Only one
  // thread may call this at a time, and no piece may. Throws std::system_error if threads cannot be started.
  using Piece = void (*)(const void* function, int64_t i, int thread);
  void run(int64_t n, Piece piece, const void* function) const;

 private:
  struct Team;
  int count_;
  std::unique_ptr<Team> team_;
};

// Returns the number in the environment variable OMP_NUM_THREADS, or, without one, allowed_cores().
int default_threads();

}  // namespace crescendo
