// The communicator between processes, by MPI.
#pragma once

#include "kernels/communicator.h"
#include "kernels/mpi/operations.h"
#include "kernels/mpi/watch.h"

namespace crescendo::mpi {

class MpiCommunicator final : public Communicator {
 public:
  // Starts MPI. A worker that is silent for so many seconds is lost.
  explicit MpiCommunicator(double silence);
  ~MpiCommunicator() override { watch_.begin_wait(); }  // for the others, to end MPI together

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return local_rank_; }
  std::string library() const override { return library_; }

  void sum(std::span<int64_t> values) override;
  void start_sum(std::span<int64_t> values) override;
  void finish_sums() override { wait(); }
  void gather(std::span<const std::byte> mine, std::span<std::byte> all) override;
  void broadcast(std::span<std::byte> bytes) override;

  void note(const std::string& activity, double seconds) override { watch_.note(activity, seconds); }
  [[noreturn]] void abort(int exit_code) override { operations_.abort(exit_code); }

 private:
  void introduce();
  void wait();

  int rank_ = 0, size_ = 1, local_rank_ = 0;
  std::string library_;
  Watch watch_;
  Operations operations_;
};

}  // namespace crescendo::mpi
