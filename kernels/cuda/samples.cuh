// The samples of a micro-batch, gathered from a data set on the device or converted from a loader's form.
#pragma once

#include "kernels/augment.h"
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/own_kernels.h"

namespace crescendo::cuda {

// Uses one thread for each pixel.
template <class T>
void OwnKernels<T>::compute(const GatherImages& call) {
  const ImageGather& g = call.geometry;
  const int64_t pixels = g.h * g.w;
  each(stream(), g.n * pixels,
       [g, counters = call.counters, set = call.set, pixels, to = values_of(call.images),
        labels = call.labels] __device__(int64_t i) {
         const int64_t sample = i / pixels, pixel = i % pixels;
         const int64_t position = position_of(counters) + sample, epoch = position / g.images;
         const int64_t image = set.orders[epoch % 2 * g.images + position % g.images];
         Augmentation augmentation;
         if (g.augment) augmentation = draw_augmentation(g.key, epoch, image);
         const uint8_t* from = set.bytes + image * 3 * pixels +
                               source_row(augmentation, pixel / g.w, g.h) * g.w +
                               source_column(augmentation, pixel % g.w, g.w);
         for (int64_t c = 0; c < 3; ++c) to[3 * i + c] = T(set.table[256 * c + from[c * pixels]]);
         if (pixel == 0) labels[sample] = set.labels[image];
       });
}

template <class T>
void OwnKernels<T>::compute(const ConvertSamples& call) {
  map(
      stream(), call.n * call.elements, values_of(call.to_images), [] __device__(real v) { return v; },
      call.images);
  each(stream(), call.n, [labels = call.labels, to_labels = call.to_labels] __device__(int64_t i) {
    to_labels[i] = labels[i];
  });
}

}  // namespace crescendo::cuda
