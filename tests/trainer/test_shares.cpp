// Workers decide about shares, stops and slow workers by values that all of them know; and they share cores.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <numeric>

#include "support/thread_communicator.h"
#include "trainer/workers/agreement.h"
#include "trainer/workers/balance.h"
#include "trainer/workers/placement.h"
#include "trainer/workers/share.h"

namespace crescendo::test {
namespace {

// A worker of a number, to ask for its share; it does nothing collective.
class Numbered final : public Communicator {
 public:
  Numbered(int rank, int size) : rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return rank_; }
  std::string library() const override { return ""; }
  void sum(std::span<int64_t>) override { never(); }
  void start_sum(std::span<int64_t>) override { never(); }
  void finish_sums() override { never(); }
  void gather(std::span<const std::byte>, std::span<std::byte>) override { never(); }
  void broadcast(std::span<std::byte>) override { never(); }
  void note(const std::string&, double) override {}
  [[noreturn]] void abort(int) override { never(); }

 private:
  [[noreturn]] static void never() { throw std::logic_error("collective"); }
  int rank_, size_;
};

}  // namespace

TEST_CASE("shares follow each other, and differ by one chunk at most") {
  for (const int size : {1, 2, 3, 5, 16})
    for (const int64_t count : {0, 1, 7, 8, 9, 40, 41, 128, 1000})
      for (const int64_t chunk : {1, 8}) {
        CAPTURE(size);
        CAPTURE(count);
        CAPTURE(chunk);
        int64_t next = 50, fewest = count, most = 0;
        for (int rank = 0; rank < size; ++rank) {
          const SampleRange share = share_of({50, count}, chunk, Numbered(rank, size));
          CHECK(share.first == next);
          next += share.count;
          CHECK((share.count % chunk == 0 || next == 50 + count));
          const int64_t chunks = (share.count + chunk - 1) / chunk;
          fewest = std::min(fewest, chunks);
          most = std::max(most, chunks);
        }
        CHECK(next == 50 + count);
        CHECK(most - fewest <= 1);
      }
}

TEST_CASE("balanced shares: the last worker to finish does so as soon as possible") {
  const auto shares = [](const std::vector<double>& seconds, int64_t chunks) {
    Balance balance(static_cast<int>(seconds.size()));
    std::vector<UpdateReport> reports(seconds.size());
    for (size_t rank = 0; rank < seconds.size(); ++rank) {
      reports[rank].ghosts = 2;
      reports[rank].computed = 2 * seconds[rank];
    }
    balance.note(reports);
    return balance.shares(chunks);
  };
  using Shares = std::vector<int64_t>;
  CHECK(Balance(3).shares(7) == Shares{3, 2, 2});  // nothing measured
  CHECK(shares({1, 1.05, 0.97}, 6) == Shares{2, 2, 2});
  CHECK(shares({1, 2, 1}, 10) == Shares{4, 2, 4});
  CHECK(shares({1, 100}, 3) == Shares{3, 0});
  CHECK(shares({1, 1, 1}, 0) == Shares{0, 0, 0});
  for (const int64_t chunks : {1, 5, 64, 1000}) {
    const Shares found = shares({0.3, 0.5, 0.2, 0.9}, chunks);
    CHECK(std::accumulate(found.begin(), found.end(), int64_t{0}) == chunks);
  }
  CHECK(share_of({100, 56}, 8, Shares{3, 0, 4}, 1).count == 0);
  CHECK(share_of({100, 56}, 8, Shares{3, 0, 4}, 2).first == 124);
  CHECK(share_of({100, 56}, 8, Shares{3, 0, 4}, 2).count == 32);
}

TEST_CASE("an idle worker is tried again after a while") {
  Balance balance(2);
  std::vector<UpdateReport> reports(2);
  reports[0].ghosts = reports[1].ghosts = 1;
  reports[0].computed = 1;
  reports[1].computed = 10;
  balance.note(reports);
  int64_t updates = 0;
  while (balance.shares(4)[1] == 0 && updates < 1000) {
    reports[0] = {.ghosts = 4, .computed = 4};
    reports[1] = {};
    balance.note(reports);
    ++updates;
  }
  CHECK(updates > 10);
  CHECK(updates < 200);
}

TEST_CASE("workers agree on signals; only rank 0's clock counts") {
  std::vector<UpdateReport> reports(3);
  reports[0].exchanged = 5;
  reports[1].exchanged = 2;
  reports[1].save_due = true;
  reports[2].exchanged = 3;
  reports[2].signal = SIGTERM;
  Agreement agreed = agree(reports);
  CHECK(agreed.signal == SIGTERM);
  CHECK(!agreed.save_due);
  CHECK(agreed.exchange == 2);
  CHECK(agreed.waiting == 3);
  reports[0].save_due = reports[0].show_due = true;
  agreed = agree(reports);
  CHECK(agreed.save_due);
  CHECK(agreed.show_due);
}

TEST_CASE("a slow worker is named once, by its time for a ghost batch") {
  const auto report = [](int64_t ghosts, double computed) {
    UpdateReport one;
    one.ghosts = ghosts;
    one.computed = computed;
    return one;
  };
  const auto named = [&](const std::vector<UpdateReport>& reports) {
    SlowWorkers slow(static_cast<int>(reports.size()));
    std::vector<int> ranks;
    for (int update = 0; update < 100; ++update)
      if (const auto found = slow.note(reports)) ranks.push_back(found->rank);
    return ranks;
  };
  CHECK(named({report(4, 4), report(4, 4.4), report(4, 5.9)}).empty());
  CHECK(named({report(4, 4), report(4, 8), report(4, 4.1)}) == std::vector{1});
  CHECK(named({report(4, 4), report(4, 8), report(4, 4.1), report(4, 9), report(4, 3)}) == std::vector{3, 1});
  CHECK(named({report(8, 8), report(4, 4), report(0, 0)}).empty());  // unequal shares are no fault
  CHECK(named({report(1, 1), report(1, 1.6)}) == std::vector{1});
  CHECK(named({report(1, 0.01), report(1, 0.09)}).empty());  // nine seconds in 100 updates
}

TEST_CASE("threads of workers that share cores") {
  const char* const given = std::getenv("OMP_NUM_THREADS");
  if (given != nullptr) return;
  CHECK(threads_of_worker({.cores = 8, .sharing = 1}) == 8);
  CHECK(threads_of_worker({.cores = 8, .sharing = 3}) == 2);
  CHECK(threads_of_worker({.cores = 2, .sharing = 16}) == 1);
  run_workers(3, [](Communicator& communicator) { CHECK(core_share(communicator).sharing == 3); });
}

}  // namespace crescendo::test
