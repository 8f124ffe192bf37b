// The thread that makes all calls of MPI. Open MPI moves data only within its calls, and its blocking calls
// keep a core busy, so the thread starts non-blocking operations, tests them again and again, and sleeps in
// between.
#pragma once

#include <mpi.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace crescendo::mpi {

// If a call failed, prints a line that names this worker, and ends all workers.
void check(int result, const char* call);

// Ends all workers with this exit code. To be called by the thread of the calls.
[[noreturn]] void leave(int exit_code);

class Operations {
 public:
  // Starts MPI and the thread. `tick` is called on it every `period` seconds.
  Operations(std::function<void()> tick, double period);
  Operations(const Operations&) = delete;
  Operations& operator=(const Operations&) = delete;
  ~Operations();  // waits for all workers, then ends MPI

  // Says how many workers this machine has. If they are more than its cores, each sleeps longer between tests,
  // so that those who wait leave the cores to those who compute. To be called on the thread.
  void share_machine(int workers);
  // Calls `call` on the thread and waits for its return.
  void run(const std::function<void()>& call);
  // Adds an operation: `start` returns the request of a non-blocking call, whose memory must stay valid until
  // wait() returns. Operations start in the order in which they were added.
  using Start = std::function<MPI_Request()>;
  void add(Start start);
  // Waits until all operations are done.
  void wait();
  // Ends all workers.
  [[noreturn]] void abort(int exit_code);

 private:
  void serve();
  bool take_work(std::chrono::steady_clock::time_point next_tick);
  bool test();

  std::function<void()> tick_;
  double period_;
  std::mutex mutex_;
  std::condition_variable added_, done_;
  std::deque<Start> queue_;  // guarded by mutex_, like the next three
  int64_t unfinished_ = 0;   // operations
  bool ending_ = false;
  std::optional<int> abort_code_;
  std::vector<MPI_Request> active_;  // of the thread, like the next one
  std::chrono::microseconds sleep_;  // between tests
  std::thread thread_;
};

}  // namespace crescendo::mpi
