// Timing of calls that return before their work is done. The device of these tests only counts the calls; the
// wait takes as long as all counted calls.
#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "bench/waiting.h"

namespace crescendo::bench {
namespace {

// A call adds one to `pending`; a wait takes seconds_of_call for each pending call.
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

TEST_CASE("without a wait, one call is made at a time") {
  CountingDevice device{0};
  CHECK(calls_between_waits(device.call(), {}) == 1);
  CHECK(device.calls == 0);
}

TEST_CASE("every long call is followed by a wait") {
  CountingDevice device{1.5 * kSecondsBetweenWaits};
  CHECK(calls_between_waits(device.call(), device.wait()) == 1);
  CHECK(device.pending == 0);
}

TEST_CASE("short calls are made until they fill the time between waits") {
  CountingDevice device{kSecondsBetweenWaits / 40};
  const int64_t calls = calls_between_waits(device.call(), device.wait());
  CHECK(calls <= 40);
  CHECK(device.pending == 0);
}

TEST_CASE("calls that take no time are made many times, but not without end") {
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
