// Numerical precision of computations on a GPU.
#pragma once

#include <array>
#include <string_view>

namespace crescendo {

// The type of activations, and of the products in convolutions and matrix products. Sums are always in fp32.
//   fp32  activations and products in fp32
//   tf32  activations in fp32; a product keeps 10 bits of each factor's mantissa
//   bf16  activations in bf16, whose mantissa has 7 bits; parameters and their gradients in fp32. Gradients
//         of convolution weights that cuDNN computes are rounded to bf16 once per ghost batch.
enum class Precision { fp32, tf32, bf16 };
inline constexpr std::array kPrecisions = {Precision::fp32, Precision::tf32, Precision::bf16};

// Returns the name as the user writes it.
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

// Returns the precision with this name; fp32 if there is none.
constexpr Precision precision_named(std::string_view name) {
  for (const Precision precision : kPrecisions)
    if (name_of(precision) == name) return precision;
  return Precision::fp32;
}

}  // namespace crescendo
