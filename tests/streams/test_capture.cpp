// Captured sequences, cut where the host has something to do.
#include <doctest/doctest.h>

#include <string>

#include "kernels/cuda/capture.h"
#include "kernels/cuda/stream.h"
#include "streams/stream_thread.h"

namespace crescendo::test {

TEST_CASE("a captured sequence repeats its kernels, and the host's work between them") {
  const cuda::Stream stream(0);
  std::string order;  // written by the stream's thread, and by the host only when that has nothing to do
  const auto kernel = [&](char name) { stream.get()->add([&order, name] { order += name; }); };
  cuda::CapturedGraph graph(stream.get());
  graph.record([&] {
    kernel('a');
    kernel('b');
    graph.call_host([&] {
      stream.get()->wait();
      order += '1';
    });
    kernel('c');
    graph.call_host([&] {
      stream.get()->wait();
      order += '2';
      kernel('x');  // enters the stream between the parts
    });
    kernel('d');
  });
  CHECK(order.empty());
  for (const char* expected : {"ab1c2xd", "ab1c2xdab1c2xd"}) {
    graph.launch();
    stream.get()->wait();
    CHECK(order == expected);
  }
}

TEST_CASE("a sequence that fails while it is captured leaves the stream as it was") {
  const cuda::Stream stream(0);
  cuda::CapturedGraph graph(stream.get());
  CHECK_THROWS_WITH_AS(graph.record([] { throw std::runtime_error("no"); }), "no", std::runtime_error);
  CHECK(!stream.get()->captures());
  CHECK_THROWS_AS(graph.record([&] {
    graph.call_host([] {});
    throw std::runtime_error("no");
  }),
                  std::runtime_error);
  CHECK(!stream.get()->captures());
}

TEST_CASE("what must not be captured is refused") {
  const cuda::Stream stream(0);
  cuda::Event event;
  cuda::CapturedGraph graph(stream.get());
  CHECK_THROWS_AS(graph.record([&] { event.record(stream.get()); }), std::runtime_error);
}

}  // namespace crescendo::test
