// 1. The formula as it reads: a sum for each image, pixel and output channel over taps and input channels.
//
// Each addition waits for the one before it, because floating-point sums may not be reordered: three or four
// cycles per multiply-add, in one of the sixteen lanes that the processor has.
#include "ladder.h"

namespace crescendo::bench {

Convolution loops(const Layer& layer) {
  return [layer](const real* x, const real* weight, real* y) {
    const int64_t size = layer.size, channels = layer.channels;
    for (int64_t n = 0; n < layer.images; ++n)
      for (int64_t p = 0; p < size; ++p)
        for (int64_t q = 0; q < size; ++q)
          for (int64_t k = 0; k < channels; ++k) {
            real sum = 0;
            for (int64_t r = 0; r < 3; ++r)
              for (int64_t s = 0; s < 3; ++s) {
                const int64_t h = p + r - 1, w = q + s - 1;
                if (h < 0 || h >= size || w < 0 || w >= size) continue;
                const real* pixel = x + ((n * size + h) * size + w) * channels;
                const real* tap = weight + ((k * 3 + r) * 3 + s) * channels;
                for (int64_t c = 0; c < channels; ++c) sum += pixel[c] * tap[c];
              }
            y[((n * size + p) * size + q) * channels + k] = sum;
          }
  };
}

}  // namespace crescendo::bench
