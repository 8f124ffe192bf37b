// Names of the convolution algorithms, as the user writes them.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "kernels/geometry.h"

namespace crescendo {

inline constexpr std::array<std::pair<std::string_view, ConvolutionAlgorithm>, 4> kConvolutionNames = {
    {{"auto", ConvolutionAlgorithm::automatic},
     {"winograd", ConvolutionAlgorithm::winograd},
     {"direct", ConvolutionAlgorithm::direct},
     {"own", ConvolutionAlgorithm::own}}};

constexpr std::string_view name_of(ConvolutionAlgorithm algorithm) {
  for (const auto& [name, named] : kConvolutionNames)
    if (named == algorithm) return name;
  return {};
}

}  // namespace crescendo
