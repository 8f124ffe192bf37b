// Timing of calls that return before their work is done, on a device whose calls only count until it is
// waited for.
#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "bench/waiting.h"

namespace crescendo::bench {
namespace {

// A call adds to what is pending; a wait takes as long as all of it.
struct CountingDevice {
  double seconds_of_call;
  int64_t pending = 0, waits = 0, calls = 0;

  Call call() {
    return [this] { ++pending, ++calls; };
  }
  Call wait() {
    return [this] {
      std::this_thread::sleep_for(
          std::chrono::duration<double>(seconds_of_call * static_cast<double>(pending)));
      pending = 0;
      ++waits;
    };
  }
};

TEST_CASE("calls that end by themselves need no company") {
  CountingDevice device{0};
  CHECK(calls_between_waits(device.call(), {}) == 1);
  CHECK(device.calls == 0);
}

TEST_CASE("a call that takes long is waited for by itself") {
  CountingDevice device{1.5 * kSecondsBetweenWaits};
  CHECK(calls_between_waits(device.call(), device.wait()) == 1);
  CHECK(device.pending == 0);
}

TEST_CASE("of calls that return at once, no more are made than fill the time") {
  CountingDevice device{kSecondsBetweenWaits / 40};
  const int64_t calls = calls_between_waits(device.call(), device.wait());
  CHECK(calls <= 40);
  CHECK(device.pending == 0);
}

TEST_CASE("calls that take no time come to an end") {
  const Call nothing = [] {};
  CHECK(calls_between_waits(nothing, nothing) > 1000);
}

TEST_CASE("seconds include the wait") {
  CountingDevice device{0.001};
  CHECK(seconds_of(device.call(), device.wait(), 5) >= 0.005);
  CHECK(device.waits == 1);
  CHECK(device.calls == 5);
}

}  // namespace
}  // namespace crescendo::bench
