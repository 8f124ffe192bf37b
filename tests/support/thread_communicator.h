// Workers that are threads of one process: they arrive late, and add in an order that changes each time.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "kernels/communicator.h"

namespace crescendo::test {

// Thrown in all workers after one called abort().
struct WorkersAborted : std::runtime_error {
  explicit WorkersAborted(int code) : std::runtime_error("aborted"), exit_code(code) {}
  int exit_code;
};

// The meeting point of the workers' threads. Each operation is a meeting: all come with the same name and
// size, the last one to come does the work, and all leave.
class Meeting {
 public:
  explicit Meeting(int size) : size_(size), shares_(static_cast<size_t>(size)) {}

  using Work = std::function<void(const std::vector<std::span<std::byte>>& shares, std::mt19937& random)>;
  void meet(int rank, const std::string& name, std::span<std::byte> share, const Work& work) {
    std::unique_lock lock(mutex_);
    pause(lock);
    left_.wait(lock, [&] { return !leaving_ || aborted_; });
    check_aborted();
    if (arrived_ == 0) name_ = name;
    if (name_ != name) different_ = join("rank ", rank, " is at ", name, ", others are at ", name_);
    shares_[static_cast<size_t>(rank)] = share;
    if (++arrived_ == size_) {
      if (different_.empty()) work(shares_, random_);
      leaving_ = true;
      all_here_.notify_all();
    }
    all_here_.wait(lock, [&] { return leaving_ || aborted_; });
    check_aborted();
    if (--arrived_ == 0) {
      leaving_ = false;
      left_.notify_all();
    }
    if (!different_.empty()) throw std::logic_error(different_);
  }

  void abort(int exit_code) {
    const std::lock_guard lock(mutex_);
    if (!aborted_) exit_code_ = exit_code;
    aborted_ = true;
    all_here_.notify_all();
    left_.notify_all();
  }

 private:
  void pause(std::unique_lock<std::mutex>& lock) {
    const auto microseconds = std::max<int64_t>(0, static_cast<int64_t>(random_() % 400) - 300);
    lock.unlock();
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
    lock.lock();
  }
  void check_aborted() const {
    if (aborted_) throw WorkersAborted(exit_code_);
  }

  int size_;
  std::mutex mutex_;
  std::condition_variable all_here_, left_;
  int arrived_ = 0;
  bool leaving_ = false, aborted_ = false;
  int exit_code_ = 0;
  std::string name_, different_;
  std::vector<std::span<std::byte>> shares_;
  std::mt19937 random_{1};
};

class ThreadCommunicator final : public Communicator {
 public:
  ThreadCommunicator(Meeting& meeting, int rank, int size) : meeting_(meeting), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return rank_; }
  std::string library() const override { return "threads"; }

  void sum(std::span<int64_t> values) override {
    meeting_.meet(rank_, join("sum of ", values.size()), std::as_writable_bytes(values),
                  [n = values.size()](const auto& shares, std::mt19937& random) {
                    std::vector<size_t> order(shares.size());
                    std::iota(order.begin(), order.end(), size_t{0});
                    std::shuffle(order.begin(), order.end(), random);
                    std::vector<uint64_t> total(n);
                    for (const size_t rank : order)
                      for (size_t i = 0; i < n; ++i) total[i] += values_of(shares[rank])[i];
                    for (const std::span<std::byte> share : shares)
                      std::copy(total.begin(), total.end(), values_of(share));
                  });
  }

  // Hides the values until finish_sums(), so that a reader gets nonsense.
  void start_sum(std::span<int64_t> values) override {
    started_.push_back({values, {values.begin(), values.end()}});
    std::fill(values.begin(), values.end(), int64_t{0x7ff8dead7ff8dead});
  }
  void finish_sums() override {
    for (Started& one : started_) {
      sum(one.values);
      std::copy(one.values.begin(), one.values.end(), one.to.begin());
    }
    started_.clear();
  }

  void gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    if (all.size() != mine.size() * static_cast<size_t>(size_)) throw std::logic_error("gather: sizes");
    std::copy(mine.begin(), mine.end(), all.begin() + static_cast<std::ptrdiff_t>(mine.size()) * rank_);
    meeting_.meet(rank_, join("gather of ", mine.size()), all, [n = mine.size()](const auto& shares, auto&) {
      for (size_t rank = 0; rank < shares.size(); ++rank)
        for (const std::span<std::byte> share : shares)
          if (share.data() != shares[rank].data())
            std::copy_n(shares[rank].data() + rank * n, n, share.data() + rank * n);
    });
  }

  void broadcast(std::span<std::byte> bytes) override {
    meeting_.meet(rank_, join("broadcast of ", bytes.size()), bytes, [](const auto& shares, auto&) {
      for (const std::span<std::byte> share : shares)
        if (share.data() != shares[0].data()) std::copy(shares[0].begin(), shares[0].end(), share.begin());
    });
  }

  void note(const std::string&, double) override {}
  [[noreturn]] void abort(int exit_code) override {
    meeting_.abort(exit_code);
    throw WorkersAborted(exit_code);
  }

 private:
  struct Started {
    std::span<int64_t> to;
    std::vector<int64_t> values;
  };
  static uint64_t* values_of(std::span<std::byte> share) { return reinterpret_cast<uint64_t*>(share.data()); }

  Meeting& meeting_;
  int rank_, size_;
  std::vector<Started> started_;
};

// Calls work(communicator) in `size` threads, one a worker. Rethrows the exception of the lowest rank that
// threw one which is not WorkersAborted, else that.
inline void run_workers(int size, const std::function<void(Communicator&)>& work) {
  Meeting meeting(size);
  std::vector<std::exception_ptr> errors(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      ThreadCommunicator communicator(meeting, rank, size);
      try {
        work(communicator);
      } catch (...) {
        errors[static_cast<size_t>(rank)] = std::current_exception();
        meeting.abort(1);  // nobody waits for this worker
      }
    });
  for (std::thread& thread : threads) thread.join();
  std::exception_ptr aborted;
  for (const std::exception_ptr& error : errors) {
    if (!error) continue;
    try {
      std::rethrow_exception(error);
    } catch (const WorkersAborted&) {
      aborted = error;
    } catch (...) {
      throw;
    }
  }
  if (aborted) std::rethrow_exception(aborted);
}

}  // namespace crescendo::test
