// One element at a time: what happens to it stands in kernels/pointwise.h.
#pragma once

#include "kernels/cuda/launch.h"
#include "kernels/cuda/own_kernels.h"
#include "kernels/pointwise.h"

namespace crescendo::cuda {

template <class T>
void OwnKernels<T>::relu_forward(int64_t n, const activation* x, activation* y) {
  each(stream_, n, [x = values_of(x), y = values_of(y)] __device__(int64_t i) { y[i] = T(relu_of(x[i])); });
}

template <class T>
void OwnKernels<T>::relu_backward(int64_t n, const activation* y, const activation* dy, activation* dx,
                                  Write write) {
  each_write(stream_, n, write, values_of(dx), [y = values_of(y), dy = values_of(dy)] __device__(int64_t i) {
    return relu_gradient(y[i], dy[i]);
  });
}

template <class T>
void OwnKernels<T>::scale_add(int64_t n, const activation* a, double factor, const activation* b,
                              activation* y) {
  each(stream_, n,
       [a = values_of(a), f = static_cast<real>(factor), b = values_of(b),
        y = values_of(y)] __device__(int64_t i) { y[i] = T(a[i] + f * b[i]); });
}

template <class T>
void OwnKernels<T>::scale(int64_t n, double factor, const activation* dy, activation* dx, Write write) {
  each_write(stream_, n, write, values_of(dx),
             [f = static_cast<real>(factor), dy = values_of(dy)] __device__(int64_t i) { return f * dy[i]; });
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
void OwnKernels<T>::add_bias(int64_t rows, int64_t channels, const real* bias, activation* y) {
  each(stream_, rows * channels,
       [channels, bias, y = values_of(y)] __device__(int64_t i) { y[i] = T(y[i] + bias[i % channels]); });
}

template <class T>
void OwnKernels<T>::widen(int64_t n, const activation* from, real* to, Write write) {
  each_write(stream_, n, write, to, [from = values_of(from)] __device__(int64_t i) { return real(from[i]); });
}

template <class T>
void OwnKernels<T>::fill(int64_t n, double value, real* to) {
  each(stream_, n, [=, v = static_cast<real>(value)] __device__(int64_t i) { to[i] = v; });
}

template <class T>
void OwnKernels<T>::fill_activations(int64_t n, double value, activation* to) {
  each(stream_, n,
       [to = values_of(to), v = T(static_cast<float>(value))] __device__(int64_t i) { to[i] = v; });
}

template <class T>
void OwnKernels<T>::blend(int64_t n, double keep, double weight, const real* from, real* to) {
  each(stream_, n, [=, k = static_cast<real>(keep), w = static_cast<real>(weight)] __device__(int64_t i) {
    to[i] = k * to[i] + w * from[i];
  });
}

}  // namespace crescendo::cuda
