// Global memory for an emulated kernel, between two guard zones.
#pragma once

#include <algorithm>
#include <vector>

namespace crescendo::emulation {

class Guarded {
 public:
  explicit Guarded(const std::vector<float>& values) : all_(values.size() + 2 * kGuard, kGuardValue) {
    std::copy(values.begin(), values.end(), all_.begin() + kGuard);
  }

  float* data() { return all_.data() + kGuard; }
  std::vector<float> values() const { return {all_.begin() + kGuard, all_.end() - kGuard}; }
  bool intact() const {
    const auto is_guard = [](float value) { return value == kGuardValue; };
    return std::all_of(all_.begin(), all_.begin() + kGuard, is_guard) &&
           std::all_of(all_.end() - kGuard, all_.end(), is_guard);
  }

 private:
  static constexpr int kGuard = 4096;  // wide enough for whole blocks out of bounds
  static constexpr float kGuardValue = -12345;

  std::vector<float> all_;
};

}  // namespace crescendo::emulation
