// What becomes of a convolution's sums on their way to memory, a vector of channels at a time.
#pragma once

#include "kernels/backend.h"
#include "kernels/cpu/gather_convolution.h"
#include "kernels/cpu/simd.h"

namespace crescendo::CRESCENDO_CPU {

// y = act((sum - mean) * factor + shift + residual), a ConvolutionEpilogue as one number a channel.
struct Epilogue {
  const real* constants = nullptr;  // [3,channels]: mean, factor, shift; null: the sums as they are
  int64_t channels = 0;
  const real* residual = nullptr;  // strides as the target's; or null
  bool relu = false;

  // Of a vector of channels.
  struct Lanes {
    Vector mean, factor, shift, floor;

    Vector operator()(const Vector& sum) const {
      return max(multiply_add(subtract(sum, mean), factor, shift), floor);
    }
    Vector operator()(const Vector& sum, const Vector& residual) const {
      return max(add(multiply_add(subtract(sum, mean), factor, shift), residual), floor);
    }
  };
  Lanes at(int64_t channel, int64_t lanes) const;
};

// Elements of an epilogue's constants.
int64_t epilogue_size(int64_t channels);

// `constants` is room for epilogue_size(channels).
Epilogue make_epilogue(const ConvolutionEpilogue&, int64_t channels, real* constants);

// Whether results should and can go past the cache (stream.h). Not over the residual, whose lines are there.
bool goes_past_cache(const GatherConvolution&, const Epilogue&, const real* target, Write);

}  // namespace crescendo::CRESCENDO_CPU
