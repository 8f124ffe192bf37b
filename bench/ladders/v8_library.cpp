// 8. The library's kernel (kernels/cpu/winograd_blocks.h), by the call that the engine makes. It adds two
// ideas to version 7. It transforms strips of neighbouring tiles: it copies their pixels once, and
// transforms a few rows at a time, so that intermediate values fit into the registers. And it prefetches the
// pixels of the next block during the products.
#include "kernels/cpu/backend.h"
#include "ladder.h"

namespace crescendo::bench {

Convolution library(const Layer& layer) {
  const Conv2dGeometry geometry{.n = layer.images,
                                .h = layer.size,
                                .w = layer.size,
                                .c = layer.channels,
                                .p = layer.size,
                                .q = layer.size,
                                .k = layer.channels,
                                .r = 3,
                                .s = 3,
                                .stride_h = 1,
                                .stride_w = 1,
                                .pad_top = 1,
                                .pad_left = 1,
                                .ghost = layer.images};
  const std::shared_ptr<Backend> backend = make_cpu_backend(1, ConvolutionAlgorithm::winograd);
  const auto call_on = [=](const real* x, const real* weight, real* y) {
    // This backend's activations are reals.
    return Conv2dForward{.geometry = geometry,
                         .x = reinterpret_cast<const activation*>(x),
                         .weight = {.values = reinterpret_cast<const activation*>(weight)},
                         .y = reinterpret_cast<activation*>(y)};
  };
  backend->reserve_workspace(backend->workspace(call_on(nullptr, nullptr, nullptr)));
  return [=](const real* x, const real* weight, real* y) { backend->run(call_on(x, weight, y)); };
}

}  // namespace crescendo::bench
