// An exchange of sums through host memory.
#pragma once

#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/communicator.h"

namespace crescendo {

// If the host can read the backend's memory, workers add up there, while the kernels called next run.
// Otherwise finish() copies the sums to the host and back.
class HostExchange final : public SumExchange {
 public:
  // Both must outlive this object.
  HostExchange(Backend& backend, Communicator& workers) : backend_(backend), workers_(workers) {}

  void start(int64_t* sums, int64_t n) override {
    const std::span<int64_t> started(sums, static_cast<size_t>(n));
    if (backend_.capabilities().is_host)
      workers_.start_sum(started);
    else
      waiting_.push_back(started);
  }

  void finish() override {
    for (const std::span<int64_t> sums : waiting_) {
      staged_.resize(sums.size());
      backend_.download(sums.data(), staged_.data(), sums.size_bytes());
      workers_.sum(staged_);
      backend_.upload(staged_.data(), sums.data(), sums.size_bytes());
    }
    waiting_.clear();
    workers_.finish_sums();
  }

 private:
  Backend& backend_;
  Communicator& workers_;
  std::vector<std::span<int64_t>> waiting_;  // in the backend's memory
  std::vector<int64_t> staged_;
};

}  // namespace crescendo
