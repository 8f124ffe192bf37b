// One worker of the tests of the MPI communicator (communicator.py): mpi_worker MODE [RANK]
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/module.h"
#include "kernels/mpi/communicator.h"
#include "kernels/mpi/module.h"

namespace crescendo {
namespace {

constexpr size_t kPiece = size_t{1} << 17;  // numbers of a sum that travel together

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "mpi_worker: %s\n", what);
  std::exit(1);
}

int64_t term(int rank, size_t i) { return static_cast<int64_t>(i) * 1000003 - rank * 17; }

void check_sum(Communicator& workers, size_t n) {
  std::vector<int64_t> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = term(workers.rank(), i);
  workers.sum(values);
  for (size_t i = 0; i < n; ++i) {
    int64_t sum = 0;
    for (int rank = 0; rank < workers.size(); ++rank) sum += term(rank, i);
    expect(values[i] == sum, "a sum is wrong");
  }
}

// Sums wrap, whatever the order.
void check_wrap(Communicator& workers) {
  const int64_t large = INT64_MAX / 2 + 3;
  std::vector<int64_t> values = {large, -large};
  workers.sum(values);
  const auto n = static_cast<uint64_t>(workers.size());
  expect(values[0] == static_cast<int64_t>(n * static_cast<uint64_t>(large)), "a sum does not wrap");
  expect(values[1] == static_cast<int64_t>(n * static_cast<uint64_t>(-large)), "a sum does not wrap");
}

void check_started_sums(Communicator& workers) {
  std::vector<std::vector<int64_t>> parts;
  for (const size_t n : {kPiece + 1, size_t{3}, 3 * kPiece}) parts.emplace_back(n, workers.rank() + 1);
  for (std::vector<int64_t>& part : parts) workers.start_sum(part);
  workers.finish_sums();
  const int64_t n = workers.size(), sum = n * (n + 1) / 2;
  for (const std::vector<int64_t>& part : parts)
    expect(part == std::vector<int64_t>(part.size(), sum), "a started sum is wrong");
  workers.finish_sums();  // of none
}

void check_gather(Communicator& workers, size_t bytes) {
  const auto size = static_cast<size_t>(workers.size());
  const std::vector<std::byte> mine(bytes, static_cast<std::byte>(workers.rank() + 1));
  std::vector<std::byte> all(bytes * size);
  workers.gather(mine, all);
  for (size_t i = 0; i < all.size(); ++i)
    expect(all[i] == static_cast<std::byte>(i / bytes + 1), "a gather is wrong");
}

void check_broadcast(Communicator& workers, size_t bytes) {
  std::vector<std::byte> values(bytes, static_cast<std::byte>(workers.rank() + 5));
  workers.broadcast(values);
  expect(values == std::vector<std::byte>(bytes, std::byte{5}), "a broadcast is wrong");
}

void check_operations(Communicator& workers) {
  for (const size_t n : {size_t{0}, size_t{1}, size_t{2}, kPiece - 1, kPiece, kPiece + 1, 5 * kPiece + 7})
    check_sum(workers, n);
  check_wrap(workers);
  check_started_sums(workers);
  for (const size_t bytes : {1, 7, 4096, 100000}) check_gather(workers, bytes);
  for (const size_t bytes : {0, 1, 7, 4096, (1 << 26) + 1}) check_broadcast(workers, bytes);
  expect(workers.local_rank() == workers.rank(), "this machine's workers have other local ranks");
  expect(workers.library().find("v4") == std::string::npos && !workers.library().empty(), "no library");
}

constexpr double kLimit = 3, kSilence = 6;  // seconds without progress, and without a heartbeat

// One rank is away for a while, in one way or another, while the others wait for it.
void be_away(Communicator& workers, const std::string& mode) {
  if (mode == "hang") sleep(300);
  if (mode == "stop") raise(SIGSTOP);
  if (mode == "kill") raise(SIGKILL);
  if (mode == "abort") workers.abort(7);
  if (mode == "abort_with_0") workers.abort(0);
  if (mode == "exit") std::_Exit(9);
  if (mode == "late") {
    workers.note("something that takes longer", 100);
    sleep(5);  // the others wait for more than their limit, but wait they may
  }
}

// Meets the others again and again; the meetings together take longer than the limit.
void meet_often(Communicator& workers) {
  for (int meeting = 0; meeting < 4; ++meeting) {
    usleep(1'200'000);
    int64_t value = 1;
    workers.sum(std::span(&value, 1));
  }
}

void be_watched(Communicator& workers, const std::string& mode, int away) {
  int64_t value = 1;
  workers.note("a test", kLimit);
  workers.sum(std::span(&value, 1));
  std::printf("%d\n", getpid());
  std::fflush(stdout);
  if (mode == "often") meet_often(workers);
  if (mode == "pause") raise(SIGSTOP);
  if (workers.rank() == away) be_away(workers, mode);
  workers.sum(std::span(&value, 1));
}

std::unique_ptr<Communicator> make_communicator() {
  std::string why;
  auto* const make =
      reinterpret_cast<mpi::MakeCommunicator*>(module_function(mpi::kModule, mpi::kMakeCommunicator, why));
  expect(make != nullptr, why.c_str());
  return std::unique_ptr<Communicator>(make(kSilence));
}

int run(const std::string& mode, int away) {
  if (mode == "operations")
    check_operations(*make_mpi_communicator());
  else
    be_watched(*make_communicator(), mode, away);
  return 0;
}

}  // namespace
}  // namespace crescendo

int main(int argc, char** argv) {
  return crescendo::run(argc > 1 ? argv[1] : "", argc > 2 && argv[2][0] == '0' ? 0 : 1);
}
