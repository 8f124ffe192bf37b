// The caching allocator: pieces of chunks, equal pointers for equal requests, and the memory statistics.
#include "engine/allocator.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <random>

#include "kernels/cpu/backend.h"
#include "kernels/dry_run.h"

namespace crescendo::test {
namespace {

constexpr size_t kGranule = 256;  // sizes below are multiples of it, so that they are not rounded

struct Fixture {
  std::unique_ptr<Backend> backend = make_cpu_backend(1);
  Allocator memory{*backend};

  std::byte* take(size_t granules) { return static_cast<std::byte*>(memory.allocate(granules * kGranule)); }
  void give_back(void* block, size_t granules) { memory.release(block, granules * kGranule); }
};

// Makes random requests and releases, like a training step; equal ones for equal seeds. Returns the pointers.
std::vector<void*> step(Allocator& memory, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<void*> got;
  std::vector<std::pair<void*, size_t>> held;
  for (int i = 0; i < 300; ++i) {
    if (!held.empty() && random() % 5 < 2) {
      const size_t which = random() % held.size();
      memory.release(held[which].first, held[which].second);
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
    } else {
      const size_t bytes = 1 + random() % (random() % 4 == 0 ? 100000 : 2000);
      held.emplace_back(memory.allocate(bytes), bytes);
      got.push_back(held.back().first);
    }
  }
  std::shuffle(held.begin(), held.end(), random);
  for (const auto& [block, bytes] : held) memory.release(block, bytes);
  return got;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "allocator: a piece that comes back serves smaller requests, and joins its neighbours") {
  std::byte* whole = take(12);
  give_back(whole, 12);
  std::byte *a = take(4), *b = take(4), *c = take(4);
  CHECK(a == whole);
  CHECK(b == whole + 4 * kGranule);
  CHECK(c == whole + 8 * kGranule);
  CHECK(memory.use().allocations == 1);
  for (const auto& order :
       {std::vector{a, b, c}, std::vector{c, b, a}, std::vector{a, c, b}, std::vector{b, c, a}}) {
    for (std::byte* piece : order) give_back(piece, 4);
    CHECK(take(12) == whole);
    give_back(whole, 12);
    for (int i = 0; i < 3; ++i) take(4);
  }
  for (std::byte* piece : {a, b, c}) give_back(piece, 4);
}

TEST_CASE_FIXTURE(Fixture, "allocator: the smallest free piece that holds it, the lowest among equals") {
  std::byte* whole = take(20);
  give_back(whole, 20);
  std::byte *five = take(5), *wall = take(1), *three = take(3), *other = take(1), *second = take(3),
            *last = take(7);
  for (const auto& [piece, size] : {std::pair{five, 5}, {second, 3}, {three, 3}})
    give_back(piece, static_cast<size_t>(size));
  CHECK(take(2) == three);
  CHECK(take(3) == second);
  CHECK(take(4) == five);
  CHECK(memory.use().allocations == 1);
  give_back(three, 2);
  give_back(second, 3);
  give_back(five, 4);
  give_back(wall, 1);
  give_back(other, 1);
  give_back(last, 7);
  CHECK(take(20) == whole);
  give_back(whole, 20);
}

TEST_CASE_FIXTURE(Fixture,
                  "allocator: what is handed out does not overlap, and begins on 64-byte boundaries") {
  std::vector<std::pair<void*, size_t>> held;
  for (const size_t bytes : {1, 63, 65, 255, 256, 257, 4096, 100001, 7}) {
    held.emplace_back(memory.allocate(bytes), bytes);
    std::memset(held.back().first, static_cast<int>(held.size()), bytes);
  }
  for (size_t i = 0; i < held.size(); ++i) {
    const auto& [block, bytes] = held[i];
    CHECK(reinterpret_cast<uintptr_t>(block) % 64 == 0);
    const auto* first = static_cast<const unsigned char*>(block);
    CHECK(std::all_of(first, first + bytes, [&](unsigned char value) { return value == i + 1; }));
  }
  for (const auto& [block, bytes] : held) memory.release(block, bytes);
}

TEST_CASE("allocator: a step gets the same places every time and from the second on allocates nothing") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    Fixture f;
    const std::vector<void*> first = step(f.memory, seed);
    const MemoryUse use = f.memory.use();
    CHECK(use.allocations > 1);
    for (int again = 0; again < 3; ++again) CHECK(step(f.memory, seed) == first);
    CHECK(f.memory.use().allocations == use.allocations);
    CHECK(f.memory.use().peak == use.peak);
    CHECK(f.memory.use().in_use == 0);
  }
}

TEST_CASE("allocator: whichever piece came back first, the next requests get the same") {
  std::vector<std::byte*> places[2];
  for (const bool reversed : {false, true}) {
    Fixture f;
    std::byte* whole = f.take(64);
    f.give_back(whole, 64);
    std::vector<std::byte*> pieces;
    for (int i = 0; i < 16; ++i) pieces.push_back(f.take(4));
    std::vector<std::byte*> gone;
    for (size_t i = 0; i < 16; i += 3) gone.push_back(pieces[i]);
    if (reversed) std::reverse(gone.begin(), gone.end());
    for (std::byte* piece : gone) f.give_back(piece, 4);
    for (const size_t size : {1, 2, 4, 3, 4}) places[reversed].push_back(whole + (f.take(size) - whole));
    for (std::byte*& place : places[reversed])
      place = reinterpret_cast<std::byte*>(place - whole);  // offsets
  }
  CHECK(places[0] == places[1]);
}

TEST_CASE_FIXTURE(Fixture,
                  "allocator: counts what is in use, and the peak with cached memory and workspace") {
  void* a = take(16);
  give_back(a, 16);
  CHECK(memory.use().in_use == 0);
  CHECK(memory.use().peak == 16 * kGranule);
  void* b = memory.allocate(500);
  CHECK(memory.use().in_use == 500);
  CHECK(memory.use().peak == 16 * kGranule);  // b is part of the cached memory
  memory.reserve_workspace(10000);
  memory.reserve_workspace(4000);  // smaller than before: changes nothing
  CHECK(memory.use().peak == 16 * kGranule + 10000);
  void* c = take(15);
  CHECK(memory.use().peak == 31 * kGranule + 10000);
  CHECK(memory.use().allocations == 2);
  memory.release(b, 500);
  give_back(c, 15);
}

TEST_CASE("allocator: a request that fails changes nothing") {
  // A dry run refuses by itself. Under sanitizers, the system's allocation would abort.
  DryRunBackend backend(make_cpu_backend(1));
  Allocator memory(backend);
  void* a = memory.allocate(1024);
  for (const size_t bytes : {std::numeric_limits<size_t>::max(), std::numeric_limits<size_t>::max() / 4})
    CHECK_THROWS_AS(memory.allocate(bytes), std::bad_alloc);
  CHECK(memory.use().in_use == 1024);
  CHECK(memory.use().peak == 1024);
  CHECK(memory.use().allocations == 1);
  memory.release(a, 1024);
}

TEST_CASE("allocator: where a chunk with room to spare is refused, one without is asked for") {
  class Tight : public DryRunBackend {
   public:
    Tight() : DryRunBackend(make_cpu_backend(1)) {}
    size_t left = 101 * kGranule;
    void* allocate(size_t bytes) override {
      if (bytes > left) throw std::bad_alloc();
      left -= bytes;
      return DryRunBackend::allocate(bytes);
    }
  } backend;
  Allocator memory(backend);
  void* a = memory.allocate(100 * kGranule);
  void* b = memory.allocate(kGranule);  // the chunk would be larger if memory allowed
  CHECK(memory.use().peak == 101 * kGranule);
  CHECK_THROWS_AS(memory.allocate(1), std::bad_alloc);
  memory.release(a, 100 * kGranule);
  memory.release(b, kGranule);
}

TEST_CASE_FIXTURE(Fixture, "allocator: memory of captured work must be free, every byte of it") {
  std::byte* whole = take(12);
  give_back(whole, 12);
  std::vector<Piece> captured;
  {
    const PieceWatch watch(memory);
    std::byte *a = take(4), *b = take(4);
    give_back(a, 4);
    give_back(b, 4);
    captured = watch.pieces();
  }
  REQUIRE(captured.size() == 2);
  CHECK_NOTHROW(memory.require_free(captured));
  std::byte* larger = take(9);  // overlaps both, and begins elsewhere than the second
  CHECK_THROWS_AS(memory.require_free({captured[1]}), std::logic_error);
  give_back(larger, 9);
  std::byte *first = take(7), *behind = take(5);
  CHECK_THROWS_AS(memory.require_free({captured[1]}), std::logic_error);  // `first` overlaps it
  give_back(first, 7);
  CHECK_NOTHROW(memory.require_free({captured[0]}));  // `behind` begins after it
  CHECK_THROWS_AS(memory.require_free({captured[1]}), std::logic_error);
  give_back(behind, 5);
  CHECK_NOTHROW(memory.require_free(captured));
}

}  // namespace crescendo::test
