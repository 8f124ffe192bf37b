// A run's samples, as a micro-batch takes them.
#pragma once

#include <string_view>
#include <variant>

#include "kernels/geometry.h"
#include "kernels/real.h"
#include "kernels/step_counters.h"
#include "kernels/work.h"

namespace crescendo {

// A whole data set in the backend's memory.
struct ImageSet {
  const uint8_t* bytes;   // [images,3,h,w]
  const int32_t* labels;  // [images]
  const int32_t* orders;  // [2,images]: the order of the newest even and of the newest odd epoch
  const float* table;     // [3,256]: the normalised value of each byte, by channel

  bool operator==(const ImageSet&) const = default;
};

// Writes the n samples from counters.position on. Sample p of the run is image orders[e % 2, p % images],
// where e = p / images is its epoch.
struct GatherImages {
  static constexpr std::string_view kName = "gather_images";
  ImageGather geometry;
  const StepCounters* counters;
  ImageSet set;
  activation* images;  // [n,h,w,3]
  int32_t* labels;     // [n]

  Work work() const { return streaming(geometry.n * geometry.h * geometry.w * 3, 2); }
  bool operator==(const GatherImages&) const = default;
};

// Converts n samples from a loader's form: floats become activations, and labels are copied.
struct ConvertSamples {
  static constexpr std::string_view kName = "convert_samples";
  int64_t n;
  int64_t elements;       // of an image
  const float* images;    // [n,elements]
  const int32_t* labels;  // [n]
  activation* to_images;  // [n,elements]
  int32_t* to_labels;     // [n]

  Work work() const { return {.activations = n * elements, .reals = n * elements}; }
  bool operator==(const ConvertSamples&) const = default;
};

using DataCalls = std::variant<GatherImages, ConvertSamples>;

}  // namespace crescendo
