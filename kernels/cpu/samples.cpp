// What a micro-batch begins and ends with: its images, out of a set in memory, and the counters.
#include "kernels/augment.h"
#include "kernels/cpu/cpu_backend.h"

namespace crescendo::CRESCENDO_CPU {

void CpuBackend::gather_images(const ImageGather& g, const StepCounters* counters, const ImageSet& set,
                               activation* images, int32_t* labels) {
  const int64_t pixels = g.h * g.w, first = position_of(counters);
  parallel_for(g.n, [&](int64_t sample, int) {
    const int64_t position = first + sample, epoch = position / g.images;
    const int64_t image = set.orders[epoch % 2 * g.images + position % g.images];
    Augmentation augmentation;
    if (g.augment) augmentation = draw_augmentation(g.key, epoch, image);
    real* to = values_of(images) + sample * 3 * pixels;
    for (int64_t y = 0; y < g.h; ++y) {
      const uint8_t* row = set.bytes + image * 3 * pixels + source_row(augmentation, y, g.h) * g.w;
      for (int64_t x = 0; x < g.w; ++x) {
        const uint8_t* from = row + source_column(augmentation, x, g.w);
        for (int64_t c = 0; c < 3; ++c) *to++ = set.table[256 * c + from[c * pixels]];
      }
    }
    labels[sample] = set.labels[image];
  });
}

void CpuBackend::convert_samples(int64_t n, int64_t elements, const float* images, const int32_t* labels,
                                 activation* to_images, int32_t* to_labels) {
  upload_activations(n * elements, images, to_images);
  for (int64_t i = 0; i < n; ++i) to_labels[i] = labels[i];
}

void CpuBackend::count_samples(const SampleCount& g, const real* losses, const int32_t* correct,
                               StepCounters* counters) {
  for (int64_t first = 0; first < g.n; first += g.ghost) {
    double loss = 0;
    for (int64_t i = first; i < first + g.ghost; ++i) {
      loss += static_cast<double>(losses[i]);
      counters->correct += correct[i];
    }
    counters->loss += loss;
  }
  counters->position += g.n;
}

}  // namespace crescendo::CRESCENDO_CPU
