// How a GPU computes.
#pragma once

#include <array>
#include <string_view>

namespace crescendo {

// What activations are and how convolutions and matrix products multiply. Sums are in fp32 always.
//   fp32  activations and products in fp32
//   tf32  activations in fp32; a product keeps 10 bits of each factor's mantissa
//   bf16  activations in bf16, whose mantissa has 7 bits; parameters and their gradients in fp32, but those
//         that cuDNN computes, of a convolution's weights, are rounded to bf16 once a ghost batch
enum class Precision { fp32, tf32, bf16 };
inline constexpr std::array kPrecisions = {Precision::fp32, Precision::tf32, Precision::bf16};

constexpr std::string_view name_of(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::tf32:
      return "tf32";
    default:
      return "bf16";
  }
}

// The precision that a user has named; fp32 for other names.
constexpr Precision precision_named(std::string_view name) {
  for (const Precision precision : kPrecisions)
    if (name_of(precision) == name) return precision;
  return Precision::fp32;
}

}  // namespace crescendo
