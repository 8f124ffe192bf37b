// The samples of a micro-batch, gathered from a data set on the device or converted from a loader's form, and
// the step's counters.
#pragma once

#include "kernels/augment.h"
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/own_kernels.h"
#include "kernels/cuda/reduce.cuh"

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

// Runs in one block, because ghost batches are added in order. Each warp sums one ghost batch at a time.
static __global__ void __launch_bounds__(kThreads)
    count_samples_kernel(SampleCount g, const real* losses, const int32_t* correct, StepCounters* counters) {
  constexpr unsigned kWarps = kThreads / kWarp;
  struct Sums {
    double loss;
    int64_t correct;
  };
  Sums* shared = dynamic_shared<Sums>();  // one for each warp's ghost batch
  const unsigned warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  for (int64_t first = 0; first < g.n / g.ghost; first += kWarps) {
    Sums sums{0, 0};
    const int64_t begin = (first + warp) * g.ghost;
    for (int64_t i = begin + lane; i < begin + g.ghost && begin < g.n; i += kWarp) {
      sums.loss += static_cast<double>(losses[i]);
      sums.correct += correct[i];
    }
    const auto add = [](auto a, auto b) { return a + b; };
    sums = {warp_reduce(sums.loss, add), warp_reduce(sums.correct, add)};
    if (lane == 0) shared[warp] = sums;
    __syncthreads();
    if (threadIdx.x == 0)
      for (unsigned w = 0; w < kWarps && (first + w) * g.ghost < g.n; ++w) {
        counters->loss += shared[w].loss;
        counters->correct += shared[w].correct;
      }
    __syncthreads();
  }
  if (threadIdx.x == 0) counters->position += g.n;
}

template <class T>
void OwnKernels<T>::compute(const CountSamples& call) {
  if (call.geometry.n == 0) return;
  constexpr size_t kShared = kThreads / kWarp * 2 * sizeof(double);
  launch(stream(), {dim3(1), kThreads, kShared}, count_samples_kernel, call.geometry, call.losses,
         call.correct, call.counters);
}

}  // namespace crescendo::cuda
