#include "base/xxh3.h"

#include <xxhash.h>

#include <array>
#include <cinttypes>
#include <cstdio>

namespace crescendo {

std::string Digest::hexadecimal() const {
  std::array<char, 33> text{};
  (void)std::snprintf(text.data(), text.size(), "%016" PRIx64 "%016" PRIx64, high, low);
  return text.data();
}

uint64_t xxh3_64(const void* data, size_t bytes) { return XXH3_64bits(data, bytes); }

Digest xxh3_128(const void* data, size_t bytes) {
  const XXH128_hash_t hash = XXH3_128bits(data, bytes);
  return {hash.low64, hash.high64};
}

Xxh3::Xxh3() : state_(XXH3_createState()) { XXH3_128bits_reset(state_); }
Xxh3::~Xxh3() { XXH3_freeState(state_); }

void Xxh3::add(const void* data, size_t bytes) { XXH3_128bits_update(state_, data, bytes); }

void Xxh3::add_text(const std::string& text) {
  add(text.size());
  add(text.data(), text.size());
}

Digest Xxh3::digest() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_);
  return {hash.low64, hash.high64};
}

}  // namespace crescendo
