// The caching allocator: exact sizes, the lowest address first, and its account of what is used.
#include "engine/allocator.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <new>
#include <utility>

#include "kernels/cpu/backend.h"
#include "kernels/dry_run.h"

namespace crescendo::test {

TEST_CASE("allocator: a released block serves the next request of its size, and of no other") {
  const auto backend = make_cpu_backend(1);
  Allocator memory(*backend);
  void* a = memory.allocate(1000);
  void* b = memory.allocate(1000);
  CHECK(a != b);
  if (a > b) std::swap(a, b);
  memory.release(b, 1000);
  memory.release(a, 1000);
  void* smaller = memory.allocate(999);
  CHECK(smaller != a);
  CHECK(smaller != b);
  CHECK(memory.allocate(1000) == a);
  CHECK(memory.allocate(1000) == b);
  memory.release(a, 1000);
  memory.release(b, 1000);
  CHECK(memory.allocate(1000) == a);  // whichever came back first
  CHECK(memory.allocate(1000) == b);
  CHECK(memory.use().allocations == 3);
  memory.release(a, 1000);
  memory.release(b, 1000);
  memory.release(smaller, 999);
}

TEST_CASE("allocator: blocks begin on 64-byte boundaries") {
  const auto backend = make_cpu_backend(1);
  Allocator memory(*backend);
  for (const size_t bytes : {size_t{1}, size_t{63}, size_t{65}, size_t{4096}, size_t{100001}}) {
    void* block = memory.allocate(bytes);
    CHECK(reinterpret_cast<uintptr_t>(block) % 64 == 0);
    memory.release(block, bytes);
  }
}

TEST_CASE("allocator: counts what is in use, and the peak with cached blocks and workspace") {
  const auto backend = make_cpu_backend(1);
  Allocator memory(*backend);
  void* a = memory.allocate(3000);
  memory.release(a, 3000);
  CHECK(memory.use().in_use == 0);
  void* b = memory.allocate(500);
  CHECK(memory.use().in_use == 500);
  CHECK(memory.use().peak == 3500);  // the first block is cached, not returned
  memory.reserve_workspace(10000);
  memory.reserve_workspace(4000);  // the largest is kept
  CHECK(memory.use().peak == 13500);
  CHECK(memory.use().in_use == 500);
  memory.release(b, 500);
}

TEST_CASE("allocator: a request that fails changes nothing") {
  DryRunBackend backend(make_cpu_backend(1));  // refuses by itself: sanitizers do not let the system refuse
  Allocator memory(backend);
  void* a = memory.allocate(100);
  CHECK_THROWS_AS(memory.allocate(std::numeric_limits<size_t>::max() / 4), std::bad_alloc);
  CHECK(memory.use().in_use == 100);
  CHECK(memory.use().peak == 100);
  CHECK(memory.use().allocations == 1);
  memory.release(a, 100);
}

}  // namespace crescendo::test
