#include "kernels/mpi/operations.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/host_name.h"
#include "kernels/mpi/exit_codes.h"

namespace crescendo::mpi {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMostActive = 4;  // operations under way at a time
// Tests without success after which the thread sleeps between tests.
constexpr int kTestsBeforeSleep = 20;
constexpr std::chrono::microseconds kSleep(50);
constexpr unsigned kSecondsToLeave = 10, kSecondsToEnd = 60;

std::atomic<int> exit_code_of_alarm = 0;

extern "C" void end_process(int) { _exit(exit_code_of_alarm); }

// Ends this process if it is still there after so many seconds.
void end_in(unsigned seconds, int exit_code) {
  exit_code_of_alarm = exit_code;
  std::signal(SIGALRM, end_process);
  alarm(seconds);
}

}  // namespace

void check(int result, const char* call) {
  if (result == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0, rank = 0;
  MPI_Error_string(result, text.data(), &length);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  std::fprintf(stderr, "crescendo: rank %d on %s: %s: %s\n", rank, host_name().c_str(), call, text.data());
  leave(kTryAgain);
}

void leave(int exit_code) {
  end_in(kSecondsToLeave, exit_code);
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  _exit(exit_code);
}

Operations::Operations(std::function<void()> tick, double period)
    : tick_(std::move(tick)), period_(period), sleep_(kSleep), thread_([this] { serve(); }) {}

Operations::~Operations() {
  add([] {
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Ibarrier(MPI_COMM_WORLD, &request), "MPI_Ibarrier");
    return request;
  });
  wait();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  added_.notify_one();
  thread_.join();
}

void Operations::share_machine(int workers) {
  const long cores = std::max(1L, sysconf(_SC_NPROCESSORS_ONLN));  // whatever this worker is bound to
  sleep_ = kSleep * std::max(1L, workers / cores);
}

void Operations::run(const std::function<void()>& call) {
  add([&call] {
    call();
    return MPI_REQUEST_NULL;
  });
  wait();
}

void Operations::add(Start start) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(start));
    ++unfinished_;
  }
  added_.notify_one();
}

void Operations::wait() {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return unfinished_ == 0; });
}

void Operations::abort(int exit_code) {
  {
    const std::lock_guard lock(mutex_);
    abort_code_ = exit_code;
  }
  added_.notify_one();
  for (;;) pause();  // the thread ends the process
}

// Starts operations that were added, or leaves. Returns false when the thread shall end.
bool Operations::take_work(Clock::time_point next_tick) {
  std::unique_lock lock(mutex_);
  if (active_.empty())
    added_.wait_until(lock, next_tick, [this] { return !queue_.empty() || ending_ || abort_code_; });
  if (abort_code_) leave(*abort_code_);
  if (ending_) return false;
  while (!queue_.empty() && active_.size() < kMostActive) {
    const Start start = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    active_.push_back(start());
    lock.lock();
  }
  return true;
}

// Returns true if an operation is done.
bool Operations::test() {
  int count = 0;
  std::array<int, kMostActive> indices{};
  check(MPI_Testsome(static_cast<int>(active_.size()), active_.data(), &count, indices.data(),
                     MPI_STATUSES_IGNORE),
        "MPI_Testsome");
  // Done requests are null, and so are those of calls that were done at once.
  const auto left = static_cast<int64_t>(std::erase(active_, MPI_REQUEST_NULL));
  if (left == 0) return false;
  {
    const std::lock_guard lock(mutex_);
    unfinished_ -= left;
  }
  done_.notify_one();
  return true;
}

void Operations::serve() {
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  Clock::time_point next_tick = Clock::now();
  int idle_tests = 0;
  while (take_work(next_tick)) {
    if (!active_.empty()) {
      if (test()) {
        idle_tests = 0;
      } else if (++idle_tests < kTestsBeforeSleep) {
        sched_yield();
      } else {
        std::this_thread::sleep_for(sleep_);
      }
    }
    if (Clock::now() < next_tick) continue;
    tick_();
    next_tick =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(period_));
  }
  end_in(kSecondsToEnd, kTryAgain);
  MPI_Finalize();
  alarm(0);
}

}  // namespace crescendo::mpi
