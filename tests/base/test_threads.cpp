// The team of threads: every piece once, whatever the threads do, and no thread number twice at a time.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/cores.h"
#include "base/threads.h"

namespace crescendo {
namespace {

template <class F>
void run(const Threads& threads, int64_t n, const F& f) {
  const auto piece = [](const void* function, int64_t i, int thread) {
    (*static_cast<const F*>(function))(i, thread);
  };
  threads.run(n, piece, &f);
}

}  // namespace

TEST_CASE("threads: every piece is done once, in loops that follow each other closely or not") {
  for (const int count : {1, 2, 3, 8, 17}) {
    CAPTURE(count);
    const Threads threads(count);
    CHECK(threads.count() == count);
    for (int loop = 0; loop < 300; ++loop) {
      const int64_t n = loop % 40;
      if (loop % 100 == 99) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // all are asleep
      std::vector<int> done(static_cast<size_t>(n));  // not atomic: the loop's end orders the writes
      run(threads, n, [&](int64_t i, int) { ++done[static_cast<size_t>(i)]; });
      for (const int times : done) REQUIRE(times == 1);
    }
  }
}

TEST_CASE("threads: two threads that run at the same time have different numbers") {
  const Threads threads(4);
  std::vector<std::atomic<int>> inside(4);
  std::atomic<int> clashes{0};
  for (int loop = 0; loop < 50; ++loop)
    run(threads, 64, [&](int64_t, int thread) {
      auto& mine = inside[static_cast<size_t>(thread)];
      if (mine.fetch_add(1) != 0) ++clashes;
      std::this_thread::yield();
      --mine;
    });
  CHECK(clashes == 0);
}

TEST_CASE("threads: pieces of a thread that is held up are done by the others") {
  const Threads threads(3);
  for (int loop = 0; loop < 20; ++loop) {
    std::atomic<int> done{0};
    run(threads, 30, [&](int64_t i, int) {
      if (i == 0)  // holds its thread up until the others have done all the rest
        while (done.load() < 29) std::this_thread::yield();
      ++done;
    });
    CHECK(done == 30);
  }
}

TEST_CASE("threads: an exception ends the loop, and the team goes on") {
  for (const int count : {1, 4}) {
    const Threads threads(count);
    for (int loop = 0; loop < 20; ++loop) {
      CHECK_THROWS_WITH(
          run(threads, 100, [](int64_t i, int) { i == 37 ? throw std::runtime_error("piece 37") : void(); }),
          "piece 37");
      std::atomic<int> done{0};
      run(threads, 100, [&](int64_t, int) { ++done; });
      CHECK(done == 100);
    }
  }
}

TEST_CASE("threads: teams end at any moment") {
  for (int team = 0; team < 100; ++team) {
    const Threads threads(3);
    std::atomic<int> done{0};
    for (int loop = 0; loop < team % 3; ++loop) run(threads, 5, [&](int64_t, int) { ++done; });
    CHECK(done == 5 * (team % 3));
  }
}

TEST_CASE("threads: by default as many as OMP_NUM_THREADS says, else as cores are allowed") {
  const char* const before = std::getenv("OMP_NUM_THREADS");
  const std::string kept = before == nullptr ? "" : before;
  setenv("OMP_NUM_THREADS", "3", 1);
  CHECK(default_threads() == 3);
  CHECK(Threads(0).count() == 3);
  for (const char* none : {"0", "-2", "many", ""}) {
    setenv("OMP_NUM_THREADS", none, 1);
    CHECK(default_threads() == allowed_cores());
  }
  unsetenv("OMP_NUM_THREADS");
  CHECK(default_threads() == allowed_cores());
  if (before != nullptr) setenv("OMP_NUM_THREADS", kept.c_str(), 1);
}

}  // namespace crescendo
