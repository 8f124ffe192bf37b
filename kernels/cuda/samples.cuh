// What a micro-batch begins and ends with: its images, out of a set that the device holds or from a loader,
// and the counters.
#pragma once

#include "kernels/augment.h"
#include "kernels/cuda/map.cuh"
#include "kernels/cuda/own_kernels.h"
#include "kernels/cuda/reduce.cuh"

namespace crescendo::cuda {

// A thread takes a pixel.
template <class T>
void OwnKernels<T>::gather_images(const ImageGather& g, const StepCounters* counters, const ImageSet& set,
                                  activation* images, int32_t* labels) {
  const int64_t pixels = g.h * g.w;
  each(stream_, g.n * pixels,
       [g, counters, set, pixels, to = values_of(images), labels] __device__(int64_t i) {
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
void OwnKernels<T>::convert_samples(int64_t n, int64_t elements, const float* images, const int32_t* labels,
                                    activation* to_images, int32_t* to_labels) {
  map(
      stream_, n * elements, values_of(to_images), [] __device__(real v) { return v; }, images);
  each(stream_, n, [labels, to_labels] __device__(int64_t i) { to_labels[i] = labels[i]; });
}

// One block, since the ghosts are added in order: a warp sums a ghost.
static __global__ void __launch_bounds__(kThreads)
    count_samples_kernel(SampleCount g, const real* losses, const int32_t* correct, StepCounters* counters) {
  constexpr unsigned kWarps = kThreads / kWarp;
  struct Sums {
    double loss;
    int64_t correct;
  };
  Sums* shared = dynamic_shared<Sums>();  // of a ghost a warp
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
void OwnKernels<T>::count_samples(const SampleCount& g, const real* losses, const int32_t* correct,
                                  StepCounters* counters) {
  if (g.n == 0) return;
  constexpr size_t kShared = kThreads / kWarp * 2 * sizeof(double);
  launch(stream_, {dim3(1), kThreads, kShared}, count_samples_kernel, g, losses, correct, counters);
}

}  // namespace crescendo::cuda
