// XXH3 digests (xxHash), of 64 and 128 bits: fast checksums that detect damage, not manipulation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

struct XXH3_state_s;

namespace crescendo {

// A digest of 128 bits.
struct Digest {
  uint64_t low = 0, high = 0;
  bool operator==(const Digest&) const = default;
  std::string hexadecimal() const;  // 32 digits
};

// Return the digest of `bytes` bytes.
uint64_t xxh3_64(const void* data, size_t bytes);
Digest xxh3_128(const void* data, size_t bytes);

// Computes the 128-bit digest of several pieces of data, one after another.
class Xxh3 {
 public:
  Xxh3();
  Xxh3(const Xxh3&) = delete;
  Xxh3& operator=(const Xxh3&) = delete;
  ~Xxh3();

  void add(const void* data, size_t bytes);
  template <class Number>
  void add(Number number) {
    add(&number, sizeof number);
  }
  // Adds the length too, so that "a", "bc" differs from "ab", "c".
  void add_text(const std::string& text);
  Digest digest() const;

 private:
  XXH3_state_s* state_;
};

}  // namespace crescendo
