// The epilogue of a convolution: norm or bias, residual and ReLU. They are applied to sums in registers, one
// vector of channels at a time, before the results are stored.
#pragma once

#include "kernels/backend.h"
#include "kernels/cpu/gather_convolution.h"
#include "kernels/cpu/simd.h"

namespace crescendo::CRESCENDO_CPU {

// A ConvolutionEpilogue, reduced to three constants per channel:
//   y = act((sum - mean) * factor + shift + residual)
struct Epilogue {
  const real* constants = nullptr;  // [3,channels]: mean, factor, shift; null: no epilogue
  int64_t channels = 0;
  const real* residual = nullptr;  // laid out like the target, or null
  bool relu = false;

  // The constants of one vector of channels. A call applies the epilogue to the sums of one pixel.
  struct Lanes {
    Vector mean, factor, shift, floor;

    Vector operator()(const Vector& sum) const {
      return max(multiply_add(subtract(sum, mean), factor, shift), floor);
    }
    Vector operator()(const Vector& sum, const Vector& residual) const {
      return max(add(multiply_add(subtract(sum, mean), factor, shift), residual), floor);
    }
  };
  // Returns the constants of the vector that starts at `channel` and has `lanes` channels.
  Lanes at(int64_t channel, int64_t lanes) const;
};

// Returns the number of elements of an epilogue's constants.
int64_t epilogue_size(int64_t channels);

// Returns the epilogue and writes its constants to `constants`, which has room for epilogue_size(channels).
Epilogue make_epilogue(const ConvolutionEpilogue&, int64_t channels, real* constants);

// Returns true if the results should and can bypass the cache (stream.h). Never true where the results
// overwrite the residual, because its lines are in the cache already.
bool goes_past_cache(const GatherConvolution&, const Epilogue&, const real* target, Write);

}  // namespace crescendo::CRESCENDO_CPU
