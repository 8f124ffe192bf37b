// Compares digests with published values. Their hexadecimal form is that of other programs.
#include <doctest/doctest.h>

#include "base/xxh3.h"

using namespace crescendo;

TEST_CASE("XXH3 gives the published digests of nothing") {
  CHECK(xxh3_64("", 0) == 0x2d06800538d394c2);
  CHECK(xxh3_128("", 0).hexadecimal() == "99aa06d3014798d86001c324468d497f");
}

TEST_CASE("hexadecimal digits keep leading zeros") {
  CHECK(Digest{.low = 0x1f, .high = 0xa}.hexadecimal() == "000000000000000a000000000000001f");
}

TEST_CASE("data in pieces has the digest of the whole") {
  const std::string text(1000, 'x');
  Xxh3 hash;
  hash.add(text.data(), 300);
  hash.add(text.data() + 300, 700);
  CHECK(hash.digest() == xxh3_128(text.data(), text.size()));
}

TEST_CASE("texts are told apart by their lengths") {
  Xxh3 first, second;
  first.add_text("a");
  first.add_text("bc");
  second.add_text("ab");
  second.add_text("c");
  CHECK_FALSE(first.digest() == second.digest());
}
