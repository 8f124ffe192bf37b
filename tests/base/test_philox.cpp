// Compares Philox4x32-10 with the vectors that were published with it (Random123, kat_vectors).
#include <doctest/doctest.h>

#include "base/philox.h"

using namespace crescendo;

namespace {

void check_words(PhiloxWords counter, uint64_t key, PhiloxWords expected) {
  const PhiloxWords words = philox4x32(counter, key);
  for (int i = 0; i < 4; ++i) CHECK(words.word[i] == expected.word[i]);
}

}  // namespace

TEST_CASE("Philox gives the published words") {
  check_words({{0, 0, 0, 0}}, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}});
  check_words({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffffffffffff,
              {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}});
  check_words({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0x299f31d0a4093822,
              {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}});
}

TEST_CASE("uniform numbers lie in [0, 1)") {
  CHECK(philox_uniform(0) == 0.0F);
  CHECK(philox_uniform(0xffffffff) < 1.0F);
  CHECK(philox_uniform(0x80000000) == 0.5F);
}
