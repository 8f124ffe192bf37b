// The XXH3-128 digest of several things in a row.
#pragma once

#include <fmt/format.h>
#include <xxhash.h>

#include <string>

namespace crescendo {

class Xxh3 {
 public:
  Xxh3() : state_(XXH3_createState()) { XXH3_128bits_reset(state_); }
  Xxh3(const Xxh3&) = delete;
  Xxh3& operator=(const Xxh3&) = delete;
  ~Xxh3() { XXH3_freeState(state_); }

  void add(const void* data, size_t bytes) { XXH3_128bits_update(state_, data, bytes); }
  template <class Number>
  void add(Number number) {
    add(&number, sizeof number);
  }
  void add_text(const std::string& text) {  // with its length: "a", "bc" is not "ab", "c"
    add(text.size());
    add(text.data(), text.size());
  }
  std::string hexadecimal() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_);
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  }

 private:
  XXH3_state_t* state_;
};

}  // namespace crescendo
