#include "kernels/host_exchange.h"

#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "kernels/communicator.h"

namespace crescendo {
namespace {

class HostExchange final : public SumExchange {
 public:
  HostExchange(Backend& backend, Communicator& workers) : backend_(backend), workers_(workers) {}

  std::string library() const override {
    return workers_.library() + (overlaps() ? "" : " through host memory");
  }
  bool overlaps() const override { return backend_.capabilities().is_host; }

  void start(int64_t* sums, int64_t n) override {
    const std::span<int64_t> started(sums, static_cast<size_t>(n));
    if (backend_.capabilities().is_host)
      workers_.start_sum(started);
    else
      waiting_.push_back(started);
  }

  void finish() override {
    const auto start = Clock::now();
    for (const std::span<int64_t> sums : waiting_) {
      staged_.resize(sums.size());
      backend_.download(sums.data(), staged_.data(), sums.size_bytes());
      workers_.sum(staged_);
      backend_.upload(staged_.data(), sums.data(), sums.size_bytes());
    }
    waiting_.clear();
    workers_.finish_sums();
    waited_ += std::chrono::duration<double>(Clock::now() - start).count();
  }

  void check() override {}  // a communicator's operations throw or end the program

  double waited() override { return std::exchange(waited_, 0); }

 private:
  using Clock = std::chrono::steady_clock;

  Backend& backend_;
  Communicator& workers_;
  std::vector<std::span<int64_t>> waiting_;  // in the backend's memory
  std::vector<int64_t> staged_;
  double waited_ = 0;  // seconds
};

}  // namespace

std::unique_ptr<SumExchange> make_host_exchange(Backend& backend, Communicator& workers) {
  return std::make_unique<HostExchange>(backend, workers);
}

}  // namespace crescendo
