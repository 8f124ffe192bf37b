// bfloat16: the upper half of a float. It is a storage type; arithmetic is done in float.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/real.h"

namespace crescendo {

class bf16 {
 public:
  bf16() = default;
  // Rounds to the nearest, ties to even. NaN stays NaN.
  HD explicit bf16(float value) {
#ifdef __CUDA_ARCH__
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits_) : "f"(value));
#else
    const auto all = std::bit_cast<uint32_t>(value);
    if (value != value)
      bits_ = static_cast<uint16_t>((all >> 16) | 0x40);
    else
      bits_ = static_cast<uint16_t>((all + 0x7FFF + ((all >> 16) & 1)) >> 16);
#endif
  }
  HD operator float() const {
#ifdef __CUDA_ARCH__
    return __uint_as_float(static_cast<uint32_t>(bits_) << 16);
#else
    return std::bit_cast<float>(static_cast<uint32_t>(bits_) << 16);
#endif
  }

 private:
  uint16_t bits_;
};

}  // namespace crescendo
