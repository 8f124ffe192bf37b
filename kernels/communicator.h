// Collective operations between the worker processes of a run, on host memory. The workers are numbered by
// rank, from 0. All call the same operations in the same order with the same sizes, each from one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

namespace crescendo {

class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual int local_rank() const = 0;       // among the workers of this machine, from 0
  virtual std::string library() const = 0;  // name and version, e.g. "Open MPI 4.1.4"

  // Replaces each value by the sum over the ranks, modulo 2^64.
  virtual void sum(std::span<int64_t> values) = 0;
  // Starts such a sum. The values must not be touched before finish_sums(). No other operation may lie
  // between the two but further start_sum().
  virtual void start_sum(std::span<int64_t> values) = 0;
  // Waits for all sums that were started.
  virtual void finish_sums() = 0;
  // Copies `mine` of all ranks, less than 2^31 bytes, to `all`, in order of rank. `all` is size() times as large.
  virtual void gather(std::span<const std::byte> mine, std::span<std::byte> all) = 0;
  // Copies the bytes of rank 0 to all ranks.
  virtual void broadcast(std::span<std::byte> bytes) = 0;

  // Tells the watch over the workers what this one does from now on, e.g. "update 12", and the longest that it
  // may take outside of collective operations.
  virtual void note(const std::string& activity, double seconds) = 0;
  // Ends all workers at once, with this exit code.
  [[noreturn]] virtual void abort(int exit_code) = 0;
};

// The only worker of a run.
class Solo final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  int local_rank() const override { return 0; }
  std::string library() const override { return ""; }

  void sum(std::span<int64_t>) override {}
  void start_sum(std::span<int64_t>) override {}
  void finish_sums() override {}
  void gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    std::memcpy(all.data(), mine.data(), mine.size());
  }
  void broadcast(std::span<std::byte>) override {}

  void note(const std::string&, double) override {}
  [[noreturn]] void abort(int exit_code) override { std::exit(exit_code); }
};

}  // namespace crescendo
