// Backend memory for tests, between two guard zones. The destructor checks the zones.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "kernels/backend.h"
#include "support/random.h"

namespace crescendo::test {

template <class T>
class Buffer {
 public:
  Buffer(Backend& backend, const std::vector<T>& values) : backend_(backend), size_(values.size()) {
    std::vector<T> all(size_ + 2 * kGuard, guard_value());
    std::copy(values.begin(), values.end(), all.begin() + kGuard);
    bytes_ = all.size() * sizeof(T);
    memory_ = static_cast<T*>(backend.allocate(bytes_));
    backend.upload(all.data(), memory_, bytes_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    const std::vector<T> all = download();
    const auto is_guard = [](T v) { return v == guard_value(); };
    CHECK(std::all_of(all.begin(), all.begin() + kGuard, is_guard));
    CHECK(std::all_of(all.end() - kGuard, all.end(), is_guard));
    backend_.release(memory_, bytes_);
  }

  operator T*() { return memory_ + kGuard; }
  operator const T*() const { return memory_ + kGuard; }
  // For backends whose activations are reals.
  operator activation*() { return reinterpret_cast<activation*>(memory_ + kGuard); }
  operator const activation*() const { return reinterpret_cast<const activation*>(memory_ + kGuard); }

  T* data() { return memory_ + kGuard; }
  // Returns the address of element i, for backends whose activations are reals.
  activation* at(int64_t i) { return reinterpret_cast<activation*>(data() + i); }
  const activation* at(int64_t i) const { return reinterpret_cast<const activation*>(memory_ + kGuard + i); }

  std::vector<T> values() const {
    const std::vector<T> all = download();
    return {all.begin() + kGuard, all.end() - kGuard};
  }

 private:
  static constexpr size_t kGuard = 64;
  static T guard_value() { return static_cast<T>(-12345); }
  std::vector<T> download() const {
    std::vector<T> all(bytes_ / sizeof(T));
    backend_.download(memory_, all.data(), bytes_);
    return all;
  }

  Backend& backend_;
  size_t size_;
  size_t bytes_ = 0;
  T* memory_ = nullptr;
};

// Returns `all`, which has rows of `width` elements, with `count` elements of each row replaced, from element
// `first` on, by the row of `part`.
inline std::vector<real> with_channels(std::vector<real> all, int64_t width, int64_t first,
                                       const std::vector<real>& part, int64_t count) {
  for (size_t i = 0; i < part.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    all[static_cast<size_t>(at / count * width + first + at % count)] = part[i];
  }
  return all;
}

// Returns n NaNs, which fill an output before a kernel writes it: any use but overwriting would spread them.
inline std::vector<real> poison(int64_t n) {
  return std::vector<real>(static_cast<size_t>(n), std::numeric_limits<real>::quiet_NaN());
}

}  // namespace crescendo::test
