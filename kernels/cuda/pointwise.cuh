// One element at a time: what happens to it stands in kernels/pointwise.h.
#pragma once

#include "kernels/cuda/map.cuh"
#include "kernels/cuda/own_kernels.h"
#include "kernels/pointwise.h"

namespace crescendo::cuda {

template <class T>
void OwnKernels<T>::relu_forward(int64_t n, const activation* x, activation* y) {
  map(
      stream_, n, values_of(y), [] __device__(real v) { return relu_of(v); }, values_of(x));
}

template <class T>
void OwnKernels<T>::relu_backward(int64_t n, const activation* y, const activation* dy, activation* dx,
                                  Write write) {
  const auto gradient = [] __device__(real v, real dv) { return relu_gradient(v, dv); };
  map_write(stream_, n, write, values_of(dx), gradient, values_of(y), values_of(dy));
}

template <class T>
void OwnKernels<T>::scale_add(int64_t n, const activation* a, double factor, const activation* b,
                              activation* y) {
  const auto sum = [f = static_cast<real>(factor)] __device__(real u, real v) { return u + f * v; };
  map(stream_, n, values_of(y), sum, values_of(a), values_of(b));
}

template <class T>
void OwnKernels<T>::scale(int64_t n, double factor, const activation* dy, activation* dx, Write write) {
  const auto product = [f = static_cast<real>(factor)] __device__(real v) { return f * v; };
  map_write(stream_, n, write, values_of(dx), product, values_of(dy));
}

template <class T>
void OwnKernels<T>::dropout(const DropoutGeometry& g, const StepCounters* counters, const activation* x,
                            activation* y, Write write) {
  const int64_t blocks = (g.elements + 3) / 4;  // that share a call of Philox
  each(stream_, g.n * blocks,
       [g, counters, blocks, write, factor = static_cast<real>(1 / g.keep), from = values_of(x),
        to = values_of(y)] __device__(int64_t index) {
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
void OwnKernels<T>::copy_channels(const ChannelSlice& g, const activation* from, activation* to,
                                  Write write) {
  each(stream_, g.rows * g.count,
       [g, write, from = values_of(from), to = values_of(to)] __device__(int64_t index) {
         const int64_t row = index / g.count, channel = index % g.count;
         const T value = from[row * g.from_channels + g.from_offset + channel];
         T& place = to[row * g.to_channels + g.to_offset + channel];
         place = write == Write::add ? T(place + value) : value;
       });
}

template <class T>
void OwnKernels<T>::finish_sums(int64_t rows, int64_t channels, const ConvolutionEpilogue& epilogue,
                                activation* y) {
  if (epilogue.does_nothing()) return;
  each(stream_, rows * channels,
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
  normalise(norm, y, *epilogue.norm, epilogue.residual, y);
}

template <class T>
void OwnKernels<T>::widen(int64_t n, const activation* from, real* to, Write write) {
  map_write(
      stream_, n, write, to, [] __device__(real v) { return v; }, values_of(from));
}

template <class T>
void OwnKernels<T>::fill(int64_t n, double value, real* to) {
  map(stream_, n, to, [v = static_cast<real>(value)] __device__() { return v; });
}

template <class T>
void OwnKernels<T>::fill_activations(int64_t n, double value, activation* to) {
  map(stream_, n, values_of(to), [v = static_cast<real>(value)] __device__() { return v; });
}

template <class T>
void OwnKernels<T>::blend(int64_t n, double keep, double weight, const real* from, real* to) {
  const auto mean = [k = static_cast<real>(keep), w = static_cast<real>(weight)] __device__(real u, real v) {
    return k * u + w * v;
  };
  map(stream_, n, to, mean, static_cast<const real*>(to), from);
}

}  // namespace crescendo::cuda
