// Prepares the samples of a micro-batch.
#include "kernels/augment.h"
#include "kernels/cpu/cpu_backend.h"

namespace crescendo::CRESCENDO_CPU {

void CpuBackend::compute(const GatherImages& c) {
  const ImageGather& g = c.geometry;
  const ImageSet& set = c.set;
  const int64_t pixels = g.h * g.w, first = position_of(c.counters);
  parallel_for(g.n, [&](int64_t sample, int) {
    const int64_t position = first + sample, epoch = position / g.images;
    const int64_t image = set.orders[epoch % 2 * g.images + position % g.images];
    Augmentation augmentation;
    if (g.augment) augmentation = draw_augmentation(g.key, epoch, image);
    real* to = values_of(c.images) + sample * 3 * pixels;
    for (int64_t y = 0; y < g.h; ++y) {
      const uint8_t* row = set.bytes + image * 3 * pixels + source_row(augmentation, y, g.h) * g.w;
      for (int64_t x = 0; x < g.w; ++x) {
        const uint8_t* from = row + source_column(augmentation, x, g.w);
        for (int64_t channel = 0; channel < 3; ++channel)
          *to++ = set.table[256 * channel + from[channel * pixels]];
      }
    }
    c.labels[sample] = set.labels[image];
  });
}

void CpuBackend::compute(const ConvertSamples& c) {
  upload_activations(c.n * c.elements, c.images, c.to_images);
  for (int64_t i = 0; i < c.n; ++i) c.to_labels[i] = c.labels[i];
}

}  // namespace crescendo::CRESCENDO_CPU
