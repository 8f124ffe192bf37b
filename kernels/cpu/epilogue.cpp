#include "kernels/cpu/epilogue.h"

#include <algorithm>
#include <limits>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/ghost_batch_norm.h"
#include "kernels/cpu/stream.h"

namespace crescendo::CRESCENDO_CPU {

Epilogue::Lanes Epilogue::at(int64_t channel, int64_t lanes) const {
  const real* mean = constants + channel;
  const Vector lowest =
      Eigen::internal::pset1<Vector>(relu ? real{0} : -std::numeric_limits<real>::infinity());
  return {load_some(mean, lanes), load_some(mean + channels, lanes), load_some(mean + 2 * channels, lanes),
          lowest};
}

int64_t epilogue_size(int64_t channels) { return aligned(3 * channels); }

Epilogue make_epilogue(const ConvolutionEpilogue& from, int64_t channels, real* constants) {
  if (from.does_nothing()) return {};
  real* factor = constants + channels;
  real* shift = factor + channels;
  if (from.norm) {
    const BatchNormGeometry one{1, 1, channels, 1, from.epsilon, from.relu};
    std::copy_n(from.norm->mean, channels, constants);
    norm_factors(one, *from.norm, factor);
    std::copy_n(from.norm->shift, channels, shift);
  } else {
    for (int64_t c = 0; c < channels; ++c) constants[c] = from.bias == nullptr ? real{0} : -from.bias[c];
    std::fill_n(factor, channels, static_cast<real>(from.factor));
    std::fill_n(shift, channels, real{0});
  }
  return {constants, channels, from.residual == nullptr ? nullptr : values_of(from.residual), from.relu};
}

bool goes_past_cache(const GatherConvolution& d, const Epilogue& epilogue, const real* target, Write write) {
  return write == Write::overwrite && epilogue.residual != target && d.out % kLanes == 0 &&
         goes_past_cache(target, d.images * d.pixels() * d.out, d.target_pixel);
}

}  // namespace crescendo::CRESCENDO_CPU
