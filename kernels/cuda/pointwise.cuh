// Pointwise kernels. The formulas are in kernels/pointwise.h.
#pragma once

#include <stdexcept>

#include "kernels/cuda/map.cuh"
#include "kernels/cuda/own_kernels.h"
#include "kernels/pointwise.h"

namespace crescendo::cuda {

static_assert(Elementwise<ReluForward> && !Elementwise<Dropout>);  // nvcc knows them too

template <class T>
void OwnKernels<T>::compute_elements(const KernelCall& call) {
  const auto compute = [this]<class Call>(const Call& one) {
    if constexpr (Elementwise<Call>)
      one.elementwise([&](const auto& formula, Write write, auto* to, const auto*... from) {
        map_write(this->stream(), one.n, write, values_of(to), formula, values_of(from)...);
      });
    else
      throw std::logic_error("cuda: this call is not elementwise");
  };
  std::visit(compute, call);
}

template <class T>
void OwnKernels<T>::compute(const Dropout& call) {
  const DropoutGeometry& g = call.geometry;
  const int64_t blocks = (g.elements + 3) / 4;  // four elements share a call of Philox
  each(stream(), g.n * blocks,
       [g, counters = call.counters, blocks, write = call.write, factor = static_cast<real>(1 / g.keep),
        from = values_of(call.x), to = values_of(call.y)] __device__(int64_t index) {
         const int64_t image = index / blocks, block = index % blocks;
         const auto position = static_cast<uint64_t>(position_of(counters) + image);
         const PhiloxWords words = dropout_words(g, position, block);
         for (int64_t i = 4 * block; i < 4 * block + 4 && i < g.elements; ++i) {
           const int64_t at = image * g.elements + i;
           const real kept = dropout_keeps(g, words.word[i % 4]) ? from[at] * factor : real{0};
           to[at] = T(write == Write::add ? to[at] + kept : kept);
         }
       });
}

template <class T>
void OwnKernels<T>::compute(const CopyChannels& call) {
  const ChannelSlice& g = call.geometry;
  each(stream(), g.rows * g.count,
       [g, write = call.write, from = values_of(call.from),
        to = values_of(call.to)] __device__(int64_t index) {
         const int64_t row = index / g.count, channel = index % g.count;
         const T value = from[row * g.from_channels + g.from_offset + channel];
         T& sum = to[row * g.to_channels + g.to_offset + channel];
         sum = write == Write::add ? T(sum + value) : value;
       });
}

template <class T>
void OwnKernels<T>::finish_sums(int64_t rows, int64_t channels, const ConvolutionEpilogue& epilogue,
                                activation* y) {
  if (epilogue.does_nothing()) return;
  each(stream(), rows * channels,
       [channels, bias = epilogue.bias, factor = static_cast<real>(epilogue.factor), relu = epilogue.relu,
        residual = values_of(epilogue.residual), y = values_of(y)] __device__(int64_t i) {
         real v = factor * (y[i] + (bias != nullptr ? bias[i % channels] : real{0}));
         if (residual != nullptr) v += static_cast<real>(residual[i]);
         y[i] = T(relu ? relu_of(v) : v);
       });
}

template <class T>
void OwnKernels<T>::finish_convolution(const Conv2dGeometry& g, const ConvolutionEpilogue& epilogue,
                                       activation* y) {
  const int64_t pixels = g.p * g.q;
  if (!epilogue.norm) return finish_sums(g.n * pixels, g.k, epilogue, y);
  const BatchNormGeometry norm{g.n, pixels, g.k, g.n, epilogue.epsilon, epilogue.relu};
  compute(Normalise{.geometry = norm, .x = y, .norm = *epilogue.norm, .residual = epilogue.residual, .y = y});
}

template <class T>
void OwnKernels<T>::widen(int64_t n, const activation* from, real* to, Write write) {
  map_write(
      stream(), n, write, to, [] __device__(real v) { return v; }, values_of(from));
}

}  // namespace crescendo::cuda
