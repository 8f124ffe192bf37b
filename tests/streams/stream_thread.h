// A stream of the stand-in for CUDA, as its other parts see it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

// A thread that does what it is given, in order, each thing a little later.
struct CUstream_st {
 public:
  using Work = std::function<void()>;

  CUstream_st();
  ~CUstream_st();  // after all work

  // Adds work, or records it while the stream is captured.
  void add(Work work);
  void wait();  // for all work

  bool captures() const { return recording_ != nullptr; }
  void begin_capture() { recording_ = std::make_unique<std::vector<Work>>(); }
  std::vector<Work> end_capture();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> works_;  // the first one is being done
  bool ends_ = false;
  std::unique_ptr<std::vector<Work>> recording_;  // of the host's thread
  std::mt19937 random_;
  std::thread thread_;
};

namespace crescendo::test {

// Returns the number of sums that the stand-in for NCCL has made so far, those of each worker counted.
int64_t nccl_sums();
// Makes the next sum of this rank fail as if the network had.
void break_nccl(int rank);

}  // namespace crescendo::test
